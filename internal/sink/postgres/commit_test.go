package postgres

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

func TestUnchangedRowsAreNeitherWrittenNorLocked(t *testing.T) {
	w := newWorld(t)
	w.equal("fresh", w.store(rows(0, 100, 1)...), sink.Counts{Inserted: 100})
	versions := `SELECT string_agg(concat_ws(',', ctid, xmin, xmax, _exported_at), ' ' ORDER BY id) FROM samespace.calls WHERE id <> '00007'`
	before := w.cell(versions)
	w.equal("again", w.store(rows(0, 100, 1)...), sink.Counts{Unchanged: 100})
	again := rows(0, 100, 1)
	again[7] = row("00007", 7, 2)
	w.equal("one changed", w.store(again...), sink.Counts{Updated: 1, Unchanged: 99})
	w.equal("row versions", w.cell(versions), before)
	w.equal("staging tables left", w.cell(`SELECT count(*) FROM pg_class WHERE relname = 'exporter_stage'`), "0")
}

func TestARowWhoseTimeHasMovedIsFound(t *testing.T) {
	w := newWorld(t)
	w.store(row("a", 1, 1), row("b", 2, 1))
	w.equal("moved to where nothing is", w.store(row("a", 30, 1), row("c", 31, 1)), sink.Counts{Inserted: 1, Updated: 1})
	w.equal("moved, beside a changed one", w.store(row("b", 30, 1), row("c", 31, 2), row("d", 32, 1)), sink.Counts{Inserted: 1, Updated: 2})
	w.equal("rows", w.cell(`SELECT string_agg(concat(id, n, ' ', extract(minute FROM at)), ' ' ORDER BY id) FROM samespace.calls`), "a1 30 b1 30 c2 31 d1 32")
}

func TestATimeThatTellsLittleIsNotReadWhole(t *testing.T) {
	w := newWorld(t)
	all := rows(0, 1500, 1)
	for i := range all {
		all[i].Values[1] = schema.TimeValue(at(0))
	}
	w.store(all...)
	few := []sink.Row{all[3], all[1400], row("new", 0, 1), row("00700", 0, 2)}
	w.equal("counts", w.store(few...), sink.Counts{Inserted: 1, Updated: 1, Unchanged: 2})
}

// A key that another transaction is writing, and that is not to be seen yet.
func TestAKeyThatIsBeingWrittenIsWaitedFor(t *testing.T) {
	w := newWorld(t)
	lease := w.lease(0)
	w.exec(`BEGIN; INSERT INTO samespace.calls (id, at, n, _window_start, _exported_at)
		VALUES ('b', '2026-03-02T00:01:00Z', 1, '2026-03-02T00:00:00Z', now())`)
	counts, err := w.commitBehind(batch(lease, []sink.Row{row("a", 1, 1), row("b", 1, 1), row("c", 1, 1)}))
	w.noError(err)
	w.equal("counts", counts, sink.Counts{Inserted: 2, Unchanged: 1})
}

// A version that becomes visible only once the commit waits for its row overtakes it, too.
func TestACommitIsOvertakenWhileItWaits(t *testing.T) {
	w := newWorld(t)
	w.store(row("a", 1, 1), row("b", 2, 1))
	b := batch(w.lease(0), []sink.Row{row("a", 1, 2), row("b", 2, 2)})
	w.exec(`BEGIN; UPDATE samespace.calls SET n = 9, _exported_at = clock_timestamp() WHERE id = 'a'`)
	_, err := w.commitBehind(b)
	var overtaken *sink.OvertakenError
	if !errors.As(err, &overtaken) {
		t.Errorf("got %v, want that it is overtaken", err)
	}
	w.equal("rows", w.cell(`SELECT string_agg(id || n, ' ' ORDER BY id) FROM samespace.calls`), "a9 b1")
}

// What keeps a row from being written need not be somebody who overtook: that is no failure, as it never was.
func TestWhatIsNotWrittenIsNotOvertaken(t *testing.T) {
	for name, statement := range map[string]string{
		"a trigger that keeps a row": `CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
			CREATE TRIGGER keep BEFORE UPDATE ON samespace.calls FOR EACH ROW WHEN (OLD.id = 'a') EXECUTE FUNCTION keep()`,
		"a row that nobody knows the time of": `ALTER TABLE samespace.calls ALTER COLUMN _exported_at DROP NOT NULL; UPDATE samespace.calls SET _exported_at = NULL`,
		"texts as they once were":             `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET standard_conforming_strings = off', current_database()); END $$`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.store(row("a", 1, 1), row("b", 2, 1))
			w.exec(statement)
			w.Warehouse = open(t, w.dsn)
			w.store(row("a", 1, 2), row("b", 2, 2))
			w.equal("b", w.cell(`SELECT n FROM samespace.calls WHERE id = 'b'`), "2")
		})
	}
}

// A row that another commit adds while this one waits is no arrival of this one; all others are.
func TestArrivalsBesideAnotherCommit(t *testing.T) {
	w := newWorld(t)
	id := func(n int) string { return fmt.Sprintf("%08x%016x", at(2).Unix(), n) }
	w.store(row(id(1), 1, 1))
	b := batch(w.lease(0), []sink.Row{row(id(1), 1, 2), row(id(2), 1, 1), row(id(3), 1, 1), row(id(4), 1, 1)})
	b.Arrivals = &sink.Arrivals{}
	w.exec(`BEGIN; INSERT INTO samespace.calls (id, at, n, _window_start, _exported_at)
		VALUES ('` + id(3) + `', '2026-03-02T00:01:00Z', 1, '2026-03-02T00:00:00Z', clock_timestamp())`)
	counts, err := w.commitBehind(b)
	w.noError(err)
	w.equal("counts", counts, sink.Counts{Inserted: 2, Updated: 1, Unchanged: 1})
	arrived := int64(0)
	w.noError(b.Arrivals.Each(func(_ time.Time, _ int, rows int64, _ time.Duration) error {
		arrived += rows
		return nil
	}))
	w.equal("arrived", arrived, int64(2))
}

func TestACommitInFlightBeyondItsLeaseCannotBeTakenOver(t *testing.T) {
	w := newWorld(t)
	next := window.Window{Start: at(60), End: at(120)}
	_, err := w.Plan(t.Context(), "calls", next, at(0), func(g window.Window) []window.Window { return []window.Window{g} })
	w.noError(err)
	lease := w.lease(0)
	w.exec(`UPDATE exporter.windows SET lease_until = now() - interval '1 hour' WHERE start_at = '2026-03-02T00:00:00Z'`)
	w.exec(`BEGIN; LOCK TABLE samespace.calls IN ACCESS EXCLUSIVE MODE`)
	committed := make(chan error, 1)
	go func() {
		_, err := w.Commit(t.Context(), batch(lease, rows(0, 3, 1)))
		committed <- err
	}()
	w.awaitLockWaits(1) // it is behind its fence

	w.noError(w.Renew(t.Context(), lease)) // does not wait for the commit either
	other, ok, err := w.claim(window.Window{Start: at(0), End: at(120)})
	w.noError(err)
	if !ok || !other.Span().Start.Equal(at(60)) {
		t.Errorf("claimed %+v, want the next window", other.Entries)
	}
	w.exec(`COMMIT`)
	w.noError(<-committed)
	w.equal("rows", w.cell(`SELECT count(*) FROM samespace.calls`), "3")
}

// The other way round: once it is taken over, the commit that comes late changes nothing.
func TestALateCommitIsFencedOff(t *testing.T) {
	w := newWorld(t)
	late := w.lease(0)
	w.exec(`UPDATE exporter.windows SET lease_until = now() - interval '1 hour'`)
	w.lease(0)
	if _, err := w.Commit(t.Context(), batch(late, rows(0, 3, 1))); !errors.Is(err, sink.ErrLeaseLost) {
		t.Errorf("got %v, want that the lease is lost", err)
	}
	w.equal("rows", w.cell(`SELECT count(*) FROM samespace.calls`), "0")
}

// Commits that share keys, in any mixture of new, changed and moved rows: none may run into a deadlock, not
// even one that a second try would mend.
func TestCommitsOfTheSameKeysNeverDeadlock(t *testing.T) {
	w := newWorld(t)
	const hours, rounds = 4, 12
	var writers sync.WaitGroup
	for hour := range hours {
		lease := w.lease(hour)
		lease.ClaimedAt = time.Time{} // so that all write
		random := rand.New(rand.NewPCG(1, uint64(hour)))
		writers.Go(func() {
			for range rounds {
				var mixed []sink.Row
				for _, place := range random.Perm(300)[:150] {
					mixed = append(mixed, row(fmt.Sprintf("%05d", place), random.IntN(60), random.Int64N(3)))
				}
				b := batch(lease, mixed)
				b.Readings[0].State = sink.StateRunning
				if _, err := w.Commit(t.Context(), b); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	w.Close() // a session reports what it counted when it ends
	w.exec(`SELECT pg_stat_clear_snapshot()`)
	w.equal("deadlocks", w.cell(`SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`), "0")
}

func TestTheKeysIndexIsUsed(t *testing.T) {
	w := newWorld(t)
	d := dataset()
	d.Name, d.Table.Name, d.Table.Key = "pairs", "pairs", []string{"id", "n"}
	_, err := w.Prepare(t.Context(), d)
	w.noError(err)
	for _, name := range []string{"calls", "pairs"} {
		w.exec(`INSERT INTO samespace.` + name + ` (id, at, n, _window_start, _exported_at)
			SELECT g, '2026-03-02T00:00:00Z'::timestamptz + g * interval '1 minute', g, now(), now() FROM generate_series(1, 20000) AS g`)
		w.exec(`ANALYZE samespace.` + name)
	}
	w.exec("BEGIN; " + statement("commit_settings"))
	explain := func(a *arranged, query string, parameters ...parameter) {
		var values [][]byte
		var oids []uint32
		for _, p := range parameters {
			values, oids = append(values, p.value), append(oids, p.oid)
		}
		result := w.conn.PgConn().ExecParams(t.Context(), "EXPLAIN "+query, values, oids, []int16{binaryFormat}, nil).Read()
		w.noError(result.Err)
		var plan []string
		for _, line := range result.Rows {
			plan = append(plan, fmt.Sprintf("%.80s", line[0]))
		}
		if text := strings.Join(plan, "\n"); strings.Contains(text, "Seq Scan") || !strings.Contains(text, "Index") {
			t.Errorf("%s\n%s", query, text)
		}
	}
	var ids, numbers []schema.Value
	for i := range 5000 {
		ids, numbers = append(ids, schema.StrValue(fmt.Sprint(i))), append(numbers, schema.IntValue(int64(i)))
	}
	text := parameter{wireTypeOf(schema.Text).arrayOID, appendArray(nil, schema.Text, ids)}
	number := parameter{wireTypeOf(schema.Integer).arrayOID, appendArray(nil, schema.Integer, numbers)}
	one, two := arrange(w.target(dataset().Table), nil), arrange(w.target(d.Table), nil)
	explain(one, one.readByKey(), text)
	explain(two, two.readByKey(), text, number)
}

func TestARowWithoutAKeyIsNotTakenForAnother(t *testing.T) {
	w := newWorld(t)
	missing := row("", 1, 1)
	missing.Values[0] = schema.Value{}
	if _, err := w.Commit(t.Context(), batch(w.lease(0), []sink.Row{missing, row("", 1, 1)})); err == nil {
		t.Error("a row without a key was dropped")
	}
}

func TestRejectsAreKeptWhateverTheyAre(t *testing.T) {
	w := newWorld(t)
	b := batch(w.lease(0), nil)
	for _, raw := range []string{`{"a": 1e400, "a": "\u0000 \ud800"}`, "not JSON", "{\"nul\": \"\x00\"}", "{\"bad\": \"\xff\"}", ""} {
		b.Rejects = append(b.Rejects, sink.Reject{WindowStart: at(0), WindowEnd: at(60), Raw: raw, Field: "a\x00", Reason: "\xff"})
	}
	_, err := w.Commit(t.Context(), b)
	w.noError(err)
	w.equal("rejects", w.cell(`SELECT string_agg(raw::text, ' | ' ORDER BY raw::text COLLATE "C") FROM exporter.rejects`),
		`"" | "not JSON" | "{\"nul\": \"\u0000\"}" | {"a": 1e400, "a": "\u0000 \ud800"} | {"bad": "`+"\uFFFD"+`"}`)
}

func TestATableThatWasAlteredMeanwhileIsNotMisread(t *testing.T) {
	w := newWorld(t)
	w.store(row("a", 1, 1))
	w.exec(`ALTER TABLE samespace.calls ALTER COLUMN n TYPE double precision`)
	_, err := w.Commit(t.Context(), batch(w.lease(0), []sink.Row{row("a", 1, 1)}))
	var unavailable *sink.UnavailableError
	if err == nil || errors.As(err, &unavailable) || !strings.Contains(err.Error(), "column n of") {
		t.Errorf("got %v", err)
	}
	keyless := dataset().Table
	keyless.Key = nil
	b := batch(w.lease(1), []sink.Row{row("a", 1, 1)})
	b.Table = keyless
	if _, err := w.Commit(t.Context(), b); err == nil {
		t.Error("appended to a column of another type")
	}
}

func TestCommitTakesTheTransactionsTime(t *testing.T) {
	w := newWorld(t)
	w.store(row("a", 1, 1))
	before := w.cell(`SELECT now()`)
	w.store(row("a", 1, 2), row("b", 1, 1))
	w.equal("written since", w.cell(fmt.Sprintf(`SELECT count(*) FROM samespace.calls WHERE _exported_at > '%s' AND _exported_at <= now()`, before)), "2")
	w.equal("at once", w.cell(`SELECT count(DISTINCT _exported_at) FROM samespace.calls`), "1")
}

// A retry does not look at rows that a commit in flight is about to write.
func TestARetryWaitsForCommitsInFlight(t *testing.T) {
	w := newWorld(t)
	reject := sink.Reject{WindowStart: at(0), WindowEnd: at(60), Raw: `"a"`, Field: "n", Reason: "x"}
	b := batch(w.lease(0), nil)
	b.Rejects = []sink.Reject{reject}
	_, err := w.Commit(t.Context(), b)
	w.noError(err)

	b = batch(w.lease(0), rows(0, 1, 2))
	b.Range.Start = at(30) // a part: the reject stays
	w.exec(`BEGIN; LOCK TABLE samespace.calls IN ACCESS EXCLUSIVE MODE`)
	committed, retried := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := w.Commit(t.Context(), b)
		committed <- err
	}()
	w.awaitLockWaits(1)
	var done sink.Retried
	go func() {
		var err error
		done, err = w.RetryRejects(t.Context(), sink.Retry{
			Dataset: "calls", Table: dataset().Table, Fits: []sink.Refit{{Fingerprint: sink.Fingerprint(reject.Raw), Row: rows(0, 1, 1)[0]}},
		})
		retried <- err
	}()
	w.awaitLockWaits(2)
	w.exec(`COMMIT`)
	w.noError(<-committed)
	w.noError(<-retried)
	w.equal("retried", done, sink.Retried{Outdated: 1})
	w.equal("n", w.cell(`SELECT n FROM samespace.calls`), "2")
}

// A column that another replica has widened holds other bytes than this one would send.
func TestACommitIntoAWidenedColumnIsRefused(t *testing.T) {
	w := newWorld(t)
	w.exec(`ALTER TABLE samespace.calls ALTER COLUMN n TYPE numeric`)
	_, err := w.Commit(t.Context(), batch(w.lease(0), rows(0, 3, 1)))
	var unprepared *sink.UnpreparedError
	if !errors.As(err, &unprepared) {
		t.Errorf("got %v, want that the table is to be prepared again", err)
	}
}
