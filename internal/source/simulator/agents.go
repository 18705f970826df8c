package simulator

import "time"

// AgentSessions is a report with one row for each stretch of time that an agent spends in one state. 1,500
// rows a day, in the working hours of Kolkata.
func AgentSessions() Report {
	return Report{
		ID:         "6007d54273902f0069dc68dd",
		Name:       "agent_sessions",
		Key:        "5f3b6a0e9c1d2e0047a85b01",
		TimeField:  "5f3b6a0e9c1d2e0047a85b02",
		RowsPerDay: 1500,
		Location:   kolkata(),
		longest:    2*time.Hour + time.Minute,
		lasts:      sessionLasts,
		Metrics: []Metric{
			{ID: "5f3b6a0e9c1d2e0047a85b01", Name: "session_id", Title: "Session ID", Type: "text", value: rowID},
			{ID: "5f3b6a0e9c1d2e0047a85b02", Name: "started_at", Title: "From", Type: "timestamptz", value: rowStart},
			{ID: "5f3b6a0e9c1d2e0047a85b03", Name: "ended_at", Title: "To", Type: "timestamptz", value: rowEnd},
			{ID: agentMetric, Name: "agent", Title: "Agent", Type: "text", value: agent},
			{ID: teamMetric, Name: "team", Title: "Team", Type: "text", value: team},
			{ID: "5f3b6a0e9c1d2e0047a85b04", Name: "status", Title: "Status", Type: "text", value: status},
			{ID: "5f3b6a0e9c1d2e0047a85b05", Name: "reason", Title: "Reason", Type: "text", Restated: true, value: pauseReason},
			{ID: "5f3b6a0e9c1d2e0047a85b06", Name: "duration_s", Title: "Duration", Type: "integer", Restated: true, value: duration},
			{ID: "5e6f5fc04767c68072ee0321", Name: "calls", Title: "Calls", Type: "integer", value: callsTaken},
			{ID: "5f3b6a0e9c1d2e0047a85b07", Name: "occupancy", Title: "Occupancy", Type: "numeric", value: occupancy},
		},
	}
}

// What the sessions' metrics draw for, beside the calls' draws.
const (
	statusDraw = statementDraw + 1 + iota
	reasonDraw
	callsDraw
	occupancyDraw
)

func sessionLasts(r *row) time.Duration {
	u := r.below(drawLength, 1000)
	return time.Duration(20_000+u*u*7180/1000+u) * time.Millisecond
}

func available(r *row) bool { return r.below(statusDraw, 100) < 60 }

func status(r *row) value {
	if available(r) {
		return textValue("Available")
	}
	return oneOf(statusDraw, "On break", "Wrap-up", "Training", "Away")(r)
}

func pauseReason(r *row) value {
	if available(r) {
		return value{}
	}
	reasons := [...]string{"Lunch", "Coaching", "System", "Personal", "Unknown"}
	return textValue(reasons[(r.draw(reasonDraw)+2*r.version)%uint64(len(reasons))])
}

func callsTaken(r *row) value {
	if !available(r) {
		return numberValue(0)
	}
	return numberValue(r.seconds() / (300 + r.below(callsDraw, 300)))
}

func occupancy(r *row) value {
	if !available(r) {
		return value{}
	}
	return decimalValue(r.below(occupancyDraw, decimalScale))
}
