package simulator

import (
	"strconv"
	"time"
)

// Metric ids that several reports share. Agent, Team, Channel and Flow are documented with the dashboard.
const (
	agentMetric   = "5ea18e11465b4d80736a76eb"
	teamMetric    = "5ea18e7f465b4d80736a76ee"
	queueMetric   = "5ea18a6b465b4d80736a76e9"
	channelMetric = "5ea18a55465b4d80736a76e8"
	flowMetric    = "5ec384fb5c4345a0eb45ed32"

	directionMetric = "5e6f5fc04767c68072ee031d"
)

// Calls is the documented report: one row for each call. Its first ten metrics are those of the documented
// response, two of which repeat others. 5,000 rows a day, in the working hours of Kolkata.
func Calls() Report {
	const start, end = "5e6f5fc04767c68072ee031c", "602a0daa27200ad38393241c"
	return Report{
		ID:         "6007d54273902f0069dc68dc",
		Name:       "calls",
		Key:        "5ef594e0eba06ff9adbcfc07",
		TimeField:  start,
		RowsPerDay: 5000,
		Location:   kolkata(),
		longest:    time.Hour + time.Minute,
		lasts:      callLasts,
		Metrics: []Metric{
			{ID: "5ef594e0eba06ff9adbcfc07", Name: "call_id", Title: "Call ID", Type: "text", value: rowID},
			{ID: start, Name: "started_at", Title: "Start time", Type: "timestamptz", value: rowStart},
			{ID: "60af7ebc2c1f3d2b8e5faf7e", Name: "started_at_copy", Title: "Start time", Type: "timestamptz", CopyOf: start, value: rowStart},
			{ID: end, Name: "ended_at", Title: "End time", Type: "timestamptz", value: rowEnd},
			{ID: "60af7fa12c1f3d2b8e5faf7f", Name: "ended_at_copy", Title: "End time", Type: "timestamptz", CopyOf: end, value: rowEnd},
			{ID: directionMetric, Name: "direction", Title: "Direction", Type: "text", value: direction},
			{ID: "5eafce52965aff16547f2816", Name: "from_number", Title: "From", Type: "text", value: phone(fromDraw)},
			{ID: "5eafcfde965aff16547f2817", Name: "to_number", Title: "To", Type: "text", value: phone(toDraw)},
			{ID: "5e6f5fc04767c68072ee0320", Name: "duration_s", Title: "Duration", Type: "integer", Restated: true, value: duration},
			{ID: "5ec3ab9dc17f3c7ee1471a7a", Name: "channel", Title: "Channel type", Type: "text", value: oneOf(sourceDraw, "Phone", "Phone", "Phone", "Web", "Web", "SIP")},

			{ID: channelMetric, Name: "media", Title: "Channel", Type: "text", value: oneOf(mediaDraw, "Voice", "Voice", "Voice", "Voice", "Video")},
			{ID: queueMetric, Name: "queue", Title: "Queue", Type: "text", value: queue},
			{ID: teamMetric, Name: "team", Title: "Team", Type: "text", value: whenAnswered(team)},
			{ID: agentMetric, Name: "agent", Title: "Agent", Type: "text", value: whenAnswered(agent)},
			{ID: flowMetric, Name: "flow", Title: "Flow", Type: "text", value: flow},
			{ID: "5ee0a1c24d5b8e001c9f3a11", Name: "wait_s", Title: "Wait time", Type: "integer", value: waited},
			{ID: "5ee0a1c24d5b8e001c9f3a12", Name: "hold_s", Title: "Hold time", Type: "integer", value: whenAnswered(held)},
			{ID: "5ee0a1c24d5b8e001c9f3a13", Name: "talk_s", Title: "Talk time", Type: "integer", value: whenAnswered(talked)},
			{ID: "5ee0a1c24d5b8e001c9f3a14", Name: "wrap_up_s", Title: "Wrap-up time", Type: "integer", Restated: true, value: whenAnswered(wrappedUp)},
			{ID: "5ee0a1c24d5b8e001c9f3a15", Name: "disposition", Title: "Disposition", Type: "text", Restated: true, value: disposition},
			{ID: "5ee0a1c24d5b8e001c9f3a16", Name: "charge", Title: "Charge", Type: "numeric", value: charge},
			{ID: "5ee0a1c24d5b8e001c9f3a17", Name: "recorded", Title: "Recorded", Type: "boolean", value: whenAnswered(recorded)},
			{ID: "5ee0a1c24d5b8e001c9f3a18", Name: "switch_call_no", Title: "Switch call number", Type: "integer", value: switchCallNo},
		},
	}
}

// What the calls' metrics draw for.
const (
	directionDraw = firstMetric + iota
	fromDraw
	toDraw
	sourceDraw
	mediaDraw
	queueDraw
	teamDraw
	agentDraw
	flowDraw
	waitDraw
	holdDraw
	wrapDraw
	dispositionDraw
	chargeDraw
	recordedDraw
	switchDraw
	statementDraw
)

func kolkata() *time.Location { return time.FixedZone("Asia/Kolkata", 5*3600+1800) }

// callLasts is ten minutes on average, an hour at most, and often much shorter.
func callLasts(r *row) time.Duration {
	u := r.below(drawLength, 1000)
	return time.Duration(3_000+u*u*u*u*3600/1_000_000_000+u) * time.Millisecond
}

func rowID(r *row) value    { return textValue(r.id.String()) }
func rowStart(r *row) value { return instantValue(r.start) }
func rowEnd(r *row) value   { return instantValue(r.end) }

// seconds is how long the row lasted.
func (r *row) seconds() int64 { return (r.end - r.start + 500) / 1000 }

func inbound(r *row) bool { return r.below(directionDraw, 100) < 62 }

func direction(r *row) value {
	if inbound(r) {
		return textValue("in")
	}
	return textValue("out")
}

// abandoned is a call that nobody took; so it has no agent.
func abandoned(r *row) bool { return inbound(r) && r.below(waitDraw, 100) < 7 }

func whenAnswered(of func(*row) value) func(*row) value {
	return func(r *row) value {
		if abandoned(r) {
			return value{}
		}
		return of(r)
	}
}

// oneOf draws one of the texts; one that is named more often comes more often.
func oneOf(what uint64, texts ...string) func(*row) value {
	return func(r *row) value { return textValue(texts[r.below(what, int64(len(texts)))]) }
}

// phone is a number that cannot ring: the North American 555-01xx numbers are kept for fiction.
func phone(what uint64) func(*row) value {
	return func(r *row) value {
		n := r.below(what, 80_000)
		area, line := strconv.FormatInt(200+n/100, 10), strconv.FormatInt(100+n%100, 10)
		return textValue("+1" + area + "5550" + line)
	}
}

func duration(r *row) value {
	// A statement corrects the seconds that are billed; the times stay.
	return numberValue(r.seconds() + int64(r.version)*(1+r.below(statementDraw, 9)))
}

func queue(r *row) value {
	return oneOf(queueDraw, "Support", "Support", "Support", "Sales", "Sales", "Billing", "Returns")(r)
}

func team(r *row) value {
	return oneOf(teamDraw, "North", "South", "East", "West", "Night desk")(r)
}

func agent(r *row) value {
	first := [...]string{"Asha", "Bruno", "Chen", "Dana", "Emeka", "Farah", "Gita", "Hugo", "Ines", "Jonas", "Kira", "Lior"}
	n := r.below(agentDraw, 48)
	return textValue(first[n%12] + " " + string('K'+rune(n/12)) + ".")
}

func flow(r *row) value {
	if r.below(flowDraw, 100) < 10 {
		return value{} // a direct call went through no flow
	}
	return oneOf(flowDraw, "Main menu", "Main menu", "After hours", "VIP", "Outage")(r)
}

func waited(r *row) value { return numberValue(min(r.seconds(), r.below(waitDraw, 90))) }

func talked(r *row) value {
	return numberValue(r.seconds() - waited(r).num)
}

func held(r *row) value {
	if r.below(holdDraw, 100) < 70 {
		return numberValue(0)
	}
	return numberValue(talked(r).num * r.below(holdDraw, 40) / 100)
}

func wrappedUp(r *row) value {
	if r.version == 0 && r.below(wrapDraw, 100) < 15 {
		return value{} // not wrapped up yet
	}
	return numberValue(r.below(wrapDraw, 180) + 7*int64(r.version))
}

func disposition(r *row) value {
	switch {
	case abandoned(r):
		return textValue("Abandoned")
	case r.below(dispositionDraw, 100) < 3 && r.version == 0:
		return value{kind: null}
	}
	outcomes := [...]string{"Resolved", "Resolved", "Follow-up", "Escalated", "Wrong number", "Sale", "No sale"}
	return textValue(outcomes[(r.draw(dispositionDraw)+3*r.version)%uint64(len(outcomes))])
}

func charge(r *row) value { return decimalValue(r.seconds()*85 + r.below(chargeDraw, 200)) }

func recorded(r *row) value { return booleanValue(r.below(recordedDraw, 100) < 80) }

// switchCallNo is beyond 2^53: a reader that takes numbers for floating point gets it wrong.
func switchCallNo(r *row) value {
	return numberValue(9_007_199_254_740_993 + r.below(switchDraw, 1<<53))
}
