package sinktest

import (
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

func rejectTests() []exercise {
	return []exercise{
		{"kept with their reasons", testRejectsKept},
		{"replaced when their window is read again", testRejectsReplaced},
		{"kept when only a part of their window is read", testRejectsPartly},
		{"kept until all that they may lie in is read again", testRejectsWide},
		{"seen again have the new bounds", testRejectsBounds},
		{"of other datasets are left alone", testRejectsOthers},
	}
}

// rejects is the quarantine in a line.
func (b bench) rejects() string {
	b.t.Helper()
	return b.column(`SELECT CAST(raw AS text) || ':' || field || ':' || reason FROM ` + b.Own("rejects") + ` WHERE dataset = 'calls' ORDER BY CAST(raw AS text)`)
}

// quarantine reads the windows that are due of a stretch again, and commits what was rejected in them.
func (b bench) quarantine(from, to int, rejects ...sink.Reject) {
	b.t.Helper()
	batch := read(b.claim(within(hours(from, to))), clock(9, 0), clock(9, 0))
	batch.Rejects = rejects
	b.commit(batch)
}

func reject(hour int, raw, reason string) sink.Reject {
	return sink.Reject{WindowStart: clock(hour, 0), WindowEnd: clock(hour+1, 0), Raw: raw, Field: "seconds", Reason: reason}
}

func testRejectsKept(b bench) {
	b.planned(0, 2)
	b.quarantine(0, 2, reject(0, `"a"`, "not an integer"), reject(1, `"b"`, "too large"), reject(0, `"a"`, "not an integer"))
	equal(b, "rejects", b.rejects(), `"a":seconds:not an integer "b":seconds:too large`)
	seen := b.query(`SELECT window_start, first_seen, last_seen, attempts FROM ` + b.Own("rejects") + ` ORDER BY CAST(raw AS text)`)
	equal(b, "window", b.instant(seen[1][0]), clock(1, 0))
	equal(b, "attempts", seen[1][3], "1")
	equal(b, "first seen", seen[1][1], seen[1][2])
	first := b.column(`SELECT first_seen FROM ` + b.Own("rejects") + ` ORDER BY CAST(raw AS text)`)
	b.quarantine(0, 2, reject(0, `"a"`, "not an integer"), reject(1, `"b"`, "far too large"))
	equal(b, "rejects", b.rejects(), `"a":seconds:not an integer "b":seconds:far too large`)
	equal(b, "attempts", b.column(`SELECT attempts FROM `+b.Own("rejects")+` ORDER BY CAST(raw AS text)`), "2 2")
	equal(b, "first seen", b.column(`SELECT first_seen FROM `+b.Own("rejects")+` ORDER BY CAST(raw AS text)`), first)
}

func testRejectsReplaced(b bench) {
	b.planned(0, 3)
	b.quarantine(0, 3, reject(0, `"a"`, "x"), reject(1, `"b"`, "x"), reject(1, `"c"`, "x"), reject(2, `"d"`, "x"))
	b.quarantine(1, 2, reject(1, `"c"`, "x"), reject(1, `"e"`, "x"))
	equal(b, "rejects", b.rejects(), `"a":seconds:x "c":seconds:x "d":seconds:x "e":seconds:x`)
	b.quarantine(0, 3)
	equal(b, "cleared", b.rejects(), "")
}

func testRejectsPartly(b bench) {
	b.planned(0, 2)
	b.quarantine(0, 2, reject(0, `"a"`, "x"), reject(1, `"b"`, "x"))
	batch := read(b.claim(within(hours(0, 2))), clock(9, 0), clock(9, 0))
	batch.Range.End = clock(1, 30)
	batch.Rejects = []sink.Reject{reject(1, `"c"`, "x")}
	b.commit(batch)
	equal(b, "rejects", b.rejects(), `"b":seconds:x "c":seconds:x`)
	batch = read(b.claim(within(hours(0, 2))), clock(9, 0), clock(9, 0))
	batch.Range.Start = clock(0, 59)
	b.commit(batch)
	equal(b, "rejects", b.rejects(), "")
}

// A row whose time is not known may lie anywhere in what was read.
func testRejectsWide(b bench) {
	b.planned(0, 4)
	wide := reject(0, `"a"`, "x")
	wide.WindowEnd = clock(3, 0)
	b.quarantine(0, 3, wide)
	for _, part := range []window.Window{hours(0, 1), hours(0, 2), hours(1, 3), hours(1, 4)} {
		b.quarantine(int(part.Start.Sub(clock(0, 0)).Hours()), int(part.End.Sub(clock(0, 0)).Hours()))
		equal(b, "rejects once "+part.String()+" is read", b.rejects(), `"a":seconds:x`)
	}
	b.quarantine(0, 4)
	equal(b, "rejects once all is read", b.rejects(), "")
}

func testRejectsBounds(b bench) {
	b.planned(0, 3)
	bounds := func() window.Window {
		row := b.query(`SELECT window_start, window_end FROM ` + b.Own("rejects"))[0]
		return window.Window{Start: b.instant(row[0]), End: b.instant(row[1])}
	}
	wide := reject(0, `"a"`, "x")
	wide.WindowEnd = clock(3, 0)
	b.quarantine(0, 3, wide)
	equal(b, "bounds", bounds(), hours(0, 3))
	b.quarantine(0, 1, reject(1, `"a"`, "x")) // came with a neighbour, but its own time is known
	equal(b, "bounds", bounds(), hours(1, 2))
	b.quarantine(0, 1)
	equal(b, "rejects", b.rejects(), `"a":seconds:x`)
	b.quarantine(1, 2)
	equal(b, "rejects", b.rejects(), "")
}

func testRejectsOthers(b bench) {
	other := callsDataset()
	other.Name, other.Table.Name = "other", "other"
	b.prepare(other)
	b.planned(0, 1)
	if _, err := b.Plan(b.t.Context(), "other", hours(0, 1), clock(0, 0), hourly); err != nil {
		b.t.Fatal(err)
	}
	b.quarantine(0, 1, reject(0, `"a"`, "x"))
	r := anything(1)
	r.Dataset = "other"
	batch := read(b.claim(r), clock(1, 0), clock(1, 0))
	batch.Table = other.Table
	b.commit(batch)
	equal(b, "rejects", b.rejects(), `"a":seconds:x`)
}
