package simulator

import "time"

// Callbacks is a report with one row for each call that a caller asked to be called back for. 300 rows a day,
// in the working hours of Kolkata.
func Callbacks() Report {
	return Report{
		ID:         "6007d54273902f0069dc68de",
		Name:       "callbacks",
		Key:        "5f7c2d9ab4e61f0052c30e01",
		TimeField:  "5f7c2d9ab4e61f0052c30e02",
		RowsPerDay: 300,
		Location:   kolkata(),
		longest:    time.Hour + time.Minute,
		lasts:      callLasts,
		Metrics: []Metric{
			{ID: "5f7c2d9ab4e61f0052c30e01", Name: "callback_id", Title: "Callback ID", Type: "text", value: rowID},
			{ID: "5f7c2d9ab4e61f0052c30e02", Name: "requested_at", Title: "Requested", Type: "timestamptz", value: rowStart},
			{ID: "5f7c2d9ab4e61f0052c30e03", Name: "due_at_local", Title: "Due (local time)", Type: "timestamp", value: dueAt},
			{ID: "5f7c2d9ab4e61f0052c30e04", Name: "requested_on", Title: "Day (local)", Type: "date", value: requestedOn},
			{ID: queueMetric, Name: "queue", Title: "Queue", Type: "text", value: queue},
			{ID: "5f7c2d9ab4e61f0052c30e05", Name: "number", Title: "Number", Type: "text", value: phone(fromDraw)},
			{ID: "5f7c2d9ab4e61f0052c30e06", Name: "attempts", Title: "Attempts", Type: "integer", Restated: true, value: attempts},
			{ID: "5f7c2d9ab4e61f0052c30e07", Name: "outcome", Title: "Outcome", Type: "text", Restated: true, value: outcome},
			{ID: "5f7c2d9ab4e61f0052c30e08", Name: "vip", Title: "VIP", Type: "boolean", value: recorded},
			{ID: "5f7c2d9ab4e61f0052c30e09", Name: "tags", Title: "Tags", Type: "json", value: tags},
		},
	}
}

const tagsDraw = occupancyDraw + 1

func dueAt(r *row) value {
	return textValue(time.UnixMilli(r.end).In(kolkata()).Add(time.Hour).Format("2006-01-02 15:04:05"))
}

func requestedOn(r *row) value {
	return textValue(time.UnixMilli(r.start).In(kolkata()).Format(time.DateOnly))
}

func attempts(r *row) value { return numberValue(1 + r.below(wrapDraw, 3) + int64(r.version)) }

func outcome(r *row) value {
	if r.version == 0 && r.below(dispositionDraw, 100) < 20 {
		return value{} // still open
	}
	outcomes := [...]string{"Reached", "Reached", "No answer", "Busy", "Cancelled"}
	return textValue(outcomes[(r.draw(dispositionDraw)+2*r.version)%uint64(len(outcomes))])
}

func tags(r *row) value {
	return rawValue([...]string{`[]`, `["billing"]`, `["billing","late"]`, `["repeat"]`}[r.below(tagsDraw, 4)])
}
