package postgres

import (
	"strings"
	"testing"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// keeping is the dataset calls with a history, and numbers of any kind.
func keeping() sink.Dataset {
	d := dataset()
	d.Table.History = true
	d.Table.Columns = append(d.Table.Columns, schema.Column{Name: "amount", Type: schema.Numeric, ID: "4"})
	return d
}

func keptRow(n int64) sink.Row {
	r := row("a", 1, n)
	r.Values = append(r.Values, schema.StrValue("1.5"))
	return r
}

// Commits to a table with a history take turns, and what one writes is later than what it waited for; others do not wait.
func TestCommitsToAHistoryTakeTurns(t *testing.T) {
	w := newWorld(t)
	w.exec(`BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('history of "samespace"."calls"', 0))`)
	w.store(row("a", 1, 1))
	_, err := w.Prepare(t.Context(), keeping())
	w.noError(err)
	b := batch(w.lease(0), []sink.Row{keptRow(2)})
	b.Table = keeping().Table
	done := make(chan error, 1)
	go func() {
		_, err := w.Commit(t.Context(), b)
		done <- err
	}()
	w.awaitLockWaits(1)
	waited := w.cell(`SELECT clock_timestamp()`)
	w.exec(`COMMIT`)
	w.noError(<-done)
	w.equal("written after it waited", w.cell(`SELECT _exported_at > '`+waited+`' FROM samespace.calls`), "t")
	w.equal("versions that gave way", w.cell(`SELECT count(*) FROM samespace.calls_history WHERE n = 1`), "1")
}

// Versions are kept as they are, whoever wrote them.
func TestVersionsOfOthersAreKept(t *testing.T) {
	w := newWorld(t)
	_, err := w.Prepare(t.Context(), keeping())
	w.noError(err)
	store := func(n int64) {
		t.Helper()
		b := batch(w.lease(0), []sink.Row{keptRow(n)})
		b.Table = keeping().Table
		_, err := w.Commit(t.Context(), b)
		w.noError(err)
	}
	store(1)
	w.exec(`UPDATE samespace.calls SET amount = 'NaN', at = 'infinity', _extra = '{"by": "hand"}'`)
	store(1)
	w.equal("version", w.cell(`SELECT amount || ' ' || at || ' ' || _extra || ' ' || _changed FROM samespace.calls_history`),
		`NaN infinity {"by": "hand"} ["at", "amount", "_extra"]`)
	for _, odd := range []string{"amount = '1.500'", "_extra = 'null'", "_extra = '[1.50]'"} {
		w.exec(`UPDATE samespace.calls SET ` + odd)
		store(1)
		store(1)
		w.equal("rows as of now after "+odd, w.cell(`SELECT count(*) FROM samespace.calls_as_of(clock_timestamp())`), "1")
		w.equal("versions that none follows, after "+odd, w.cell(`SELECT count(*) FROM samespace.calls_history AS h
			WHERE NOT EXISTS (SELECT FROM samespace.calls_versions() AS v WHERE v._valid_from = h._valid_to)`), "0")
	}
}

// What is asked of the rows of a time is asked of the tables, by their indexes.
func TestAsOfIsTakenApart(t *testing.T) {
	w := newWorld(t)
	_, err := w.Prepare(t.Context(), keeping())
	w.noError(err)
	for _, from := range []string{"samespace.calls_as_of(now())", "samespace.calls_versions()"} {
		plan, err := texts(t.Context(), w.conn, `SET enable_seqscan = off; EXPLAIN SELECT * FROM `+from+` WHERE id = 'a'`)
		w.noError(err)
		var lines []string
		for _, line := range plan {
			lines = append(lines, line[0])
		}
		text := strings.Join(lines, "\n")
		if !strings.Contains(text, "calls_pkey") || !strings.Contains(text, "calls_history_pkey") {
			t.Errorf("%s: %s", from, text)
		}
	}
}
