package sinktest

import (
	"errors"
	"fmt"
	"strings"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

func promoteTests() []exercise {
	return []exercise{
		{"columns that are to be promoted", testUnpromoted},
		{"fills columns in batches", testPromote},
		{"leaves rows that changed meanwhile", testPromoteChanged},
		{"by an older config", testPromoteSuperseded},
		{"of a key of two columns", testPromoteTwoKeys},
	}
}

// withQueue is the dataset calls once the mapping names one more id.
func withQueue() sink.Dataset {
	d := callsDataset()
	d.ConfigHash = "c2"
	d.Table.Columns = append(d.Table.Columns, schema.Column{Name: "queue", Type: schema.Text, ID: "q"})
	return d
}

// extra is a row of the table calls with values that the mapping does not name.
func extra(id, json string) sink.Row {
	row := call(id, clock(0, 10), "Ann", 1)
	if json != "" {
		row.Extra = schema.StrValue(json)
	}
	return row
}

// promotion moves the id q, which is all that is before the last character of _extra, to the last column.
func promotion(d sink.Dataset, limit int) sink.Promotion {
	return sink.Promotion{
		Dataset: d.Name, ConfigHash: d.ConfigHash, Table: d.Table, Columns: []string{"queue"}, Limit: limit,
		Promote: func(row schema.Row, _ []string) (schema.Row, bool, []*schema.RejectError) {
			text, ok := strings.CutPrefix(row.Extra.Str(), `{"q":"`)
			if !ok {
				return row, false, []*schema.RejectError{{Field: "queue", ID: "q", Reason: "is no text"}}
			}
			queue, rest, _ := strings.Cut(text, `"`)
			row.Values = append(row.Values[:len(row.Values)-1:len(row.Values)-1], schema.StrValue(queue))
			row.Extra = schema.Value{}
			if rest != "}" {
				row.Extra = schema.StrValue("{" + rest[1:])
			}
			return row, true, nil
		},
	}
}

func (b bench) promote(p sink.Promotion) sink.Promoted {
	b.t.Helper()
	done, err := b.Promote(b.t.Context(), p)
	b.noError(err)
	return done
}

func testUnpromoted(b bench) {
	equal(b, "of a new table", fmt.Sprint(b.prepare(callsDataset()).Unpromoted), "[]")
	equal(b, "of a new field", fmt.Sprint(b.prepare(withQueue()).Unpromoted), "[queue]")
	equal(b, "as long as they are not promoted", fmt.Sprint(b.prepare(withQueue()).Unpromoted), "[queue]")
	equal(b, "done", b.promote(promotion(withQueue(), 10)).Done, true)
	equal(b, "of what is promoted", fmt.Sprint(b.prepare(withQueue()).Unpromoted), "[]")
	equal(b, "of a field less", fmt.Sprint(b.prepare(callsDataset()).Unpromoted), "[]")
	equal(b, "of a field that is back", fmt.Sprint(b.prepare(withQueue()).Unpromoted), "[queue]")
	b.promote(promotion(withQueue(), 10))
	d := withQueue()
	d.Table.Columns[4].ID = "other"
	_, err := b.Prepare(b.t.Context(), d)
	var narrowing *schema.NarrowingError
	if !errors.As(err, &narrowing) || narrowing.Column != "queue" {
		b.t.Fatalf("a field of another id: %v, want that it is refused", err)
	}
	b.query(narrowing.Statement)
	equal(b, "of a field of another id, once the column is set aside", fmt.Sprint(b.prepare(d).Unpromoted), "[queue]")
	d = callsDataset()
	d.Name, d.Table.Name, d.Table.Key = "keyless", "keyless", nil
	b.prepare(d)
	d.Table.Columns = withQueue().Table.Columns
	equal(b, "of a table without a key", fmt.Sprint(b.prepare(d).Unpromoted), "[]")
}

func testPromote(b bench) {
	b.planned(0, 1)
	b.store(extra("a", `{"q":"one","z":[1.5,null]}`), extra("b", `{"q":"two"}`), extra("c", `{"z":1}`), extra("d", ""), extra("e", `{"q":7}`),
		extra("f", `{"q":"three"}`))
	d := withQueue()
	b.prepare(d)
	written := func(id string) string {
		return b.cell(`SELECT _exported_at FROM ` + b.Table(calls) + ` WHERE call_id = '` + id + `'`)
	}
	before := written("a")
	var log []string
	p := promotion(d, 2)
	for {
		done := b.promote(p)
		log = append(log, fmt.Sprintf("%d %d %t", done.Written, len(done.Misfits), done.Done))
		if done.Done {
			break
		}
		p.Behind = done.Last
	}
	equal(b, "batches", strings.Join(log, ", "), "2 0 false, 0 0 false, 1 1 false, 0 0 true")
	equal(b, "queues", b.column(`SELECT coalesce(queue, '-') FROM `+b.Table(calls)+` ORDER BY call_id`), "one two - - - three")
	for id, want := range map[string]string{"a": `{"z":[1.5,null]}`, "b": "NULL", "c": `{"z":1}`, "d": "NULL", "e": `{"q":7}`, "f": "NULL"} {
		got := b.cell(`SELECT CAST(_extra AS text) FROM ` + b.Table(calls) + ` WHERE call_id = '` + id + `'`)
		equal(b, "_extra of "+id, strings.ReplaceAll(got, " ", ""), want)
	}
	equal(b, "rest of the rows", b.callsAre(), "a:1 b:1 c:1 d:1 e:1 f:1")
	equal(b, "a is a new version", written("a") == before, false)
	equal(b, "c is the same version", written("c"), before)
	equal(b, "written again", b.promote(promotion(d, 2)).Written, 0)
}

func testPromoteChanged(b bench) {
	b.planned(0, 1)
	b.store(extra("a", `{"q":"one"}`), extra("b", `{"q":"two"}`))
	d := withQueue()
	b.prepare(d)
	p := promotion(d, 10)
	promote := p.Promote
	p.Promote = func(row schema.Row, columns []string) (schema.Row, bool, []*schema.RejectError) {
		if row.Values[0].Str() == "b" { // a commit comes between the reading and the writing
			newer := call("a", clock(0, 10), "Ann", 9)
			newer.Values = append(newer.Values, schema.StrValue("newer"))
			batch := read(b.claim(within(hours(0, 1))), clock(9, 0), clock(9, 0), newer)
			batch.Table = d.Table
			b.commit(batch)
		}
		return promote(row, columns)
	}
	equal(b, "written", b.promote(p).Written, 1)
	equal(b, "rows", b.column(`SELECT call_id || ':' || seconds || ':' || queue FROM `+b.Table(calls)+` ORDER BY call_id`), "a:9:newer b:1:two")
}

func testPromoteSuperseded(b bench) {
	b.planned(0, 1)
	b.store(extra("a", `{"q":"one"}`))
	b.prepare(withQueue())
	newer := withQueue()
	newer.ConfigHash = "c3"
	b.prepare(newer)
	if _, err := b.Promote(b.t.Context(), promotion(withQueue(), 10)); !errors.Is(err, sink.ErrSuperseded) {
		b.t.Errorf("promoted by an older config: %v", err)
	}
	equal(b, "_extra", strings.ReplaceAll(b.cell(`SELECT CAST(_extra AS text) FROM `+b.Table(calls)), " ", ""), `{"q":"one"}`)
}

func testPromoteTwoKeys(b bench) {
	d := callsDataset()
	d.Table.Key = []string{"seconds", "call_id"}
	b.prepare(d)
	b.plan(hours(0, 1), clock(0, 0))
	var rows []sink.Row
	for n := range 12 {
		row := extra(string(rune('a'+n%3)), fmt.Sprintf(`{"q":"%d"}`, n))
		row.Values[3] = schema.IntValue(int64(n / 3))
		rows = append(rows, row)
	}
	batch := read(b.claim(within(hours(0, 1))), clock(9, 0), clock(9, 0), rows...)
	batch.Table = d.Table
	b.commit(batch)
	with := withQueue()
	with.Table.Key = d.Table.Key
	b.prepare(with)
	p := promotion(with, 5)
	for done := (sink.Promoted{}); !done.Done; p.Behind = done.Last {
		done = b.promote(p)
	}
	equal(b, "queues", b.column(`SELECT queue FROM `+b.Table(calls)+` ORDER BY seconds, call_id`), "0 1 2 3 4 5 6 7 8 9 10 11")
}
