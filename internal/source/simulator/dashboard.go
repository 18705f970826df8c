package simulator

import "encoding/json"

// samples are the documented payloads and what they are answered with.
type samples struct {
	rows      map[string][]json.RawMessage // by payload
	dashboard json.RawMessage
}

func loadSamples() samples {
	s := samples{rows: make(map[string][]json.RawMessage)}
	for _, operation := range []string{"GetReportData", "GetInsightData"} {
		var variables map[string]any
		mustDecode(mustRead("samples/"+operation+".variables.json"), &variables)
		for name, v := range variables {
			if v == nil {
				delete(variables, name)
			}
		}
		var response struct {
			Data map[string]struct{ Data []json.RawMessage }
		}
		mustDecode(compact(mustRead("samples/"+operation+".response.json")), &response)
		for field, result := range response.Data {
			s.rows[payload(field, variables)] = result.Data
		}
	}
	var response struct {
		Data struct{ Dashboard json.RawMessage }
	}
	mustDecode(compact(mustRead("samples/GetDashboard.response.json")), &response)
	s.dashboard = response.Data.Dashboard
	return s
}

func mustDecode(data []byte, into any) {
	if err := decodeJSON(data, into); err != nil {
		panic(err) // only files of the program are decoded
	}
}

// payload names a field and its arguments.
func (c *call) payload() string { return payload(c.field.Name, c.arguments) }

func payload(field string, arguments map[string]any) string {
	data, err := json.Marshal(arguments) // keys are sorted
	if err != nil {
		panic(err) // arguments came as JSON
	}
	return field + " " + string(data)
}

// dashboard is the dashboard of that id; null for an unknown one.
func (s *Simulator) dashboard(c *call) (json.RawMessage, error) {
	id, _ := c.arguments["id"].(string)
	s.mu.RLock()
	definition, ok := s.dashboards[id]
	s.mu.RUnlock()
	if !ok {
		return json.RawMessage("null"), nil
	}
	return project(nil, s.schema, c.field.SelectionSet, definition)
}

// Dashboard is a dashboard's whole definition; nil for an unknown one.
func (s *Simulator) Dashboard(id string) json.RawMessage {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.dashboards[id]
}

// SetDashboard has a dashboard be defined by a JSON object from now on; nil takes it away.
func (s *Simulator) SetDashboard(id string, definition json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if definition == nil {
		delete(s.dashboards, id)
		return
	}
	s.dashboards[id] = compact(definition)
}
