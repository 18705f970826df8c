package postgres

import (
	"errors"
	"testing"

	"samespace-exporter/internal/sink"
)

const refuse = `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused' USING ERRCODE = '23514'; END $$;`

// Whichever message of a commit the server refuses, nothing of it is kept, and its connection goes on without a transaction.
func TestACommitThatIsRefusedIsUndone(t *testing.T) {
	for name, c := range map[string]struct {
		when, afterwards string
		lost             bool
	}{
		"the first, by the fence": {
			when:       `UPDATE exporter.windows SET epoch = epoch + 1`,
			afterwards: `UPDATE exporter.windows SET epoch = epoch - 1`, lost: true,
		},
		"the first, by a statement": {
			when:       refuse + `CREATE TRIGGER refuse BEFORE UPDATE ON exporter.windows FOR EACH ROW WHEN (NEW.state = 'read') EXECUTE FUNCTION refuse()`,
			afterwards: `DROP TRIGGER refuse ON exporter.windows`,
		},
		"its rows": {
			when:       refuse + `CREATE TRIGGER refuse BEFORE INSERT ON samespace.calls FOR EACH ROW WHEN (NEW.id = 'b') EXECUTE FUNCTION refuse()`,
			afterwards: `DROP TRIGGER refuse ON samespace.calls`,
		},
		"the last, by a statement": {
			when:       refuse + `CREATE TRIGGER refuse BEFORE DELETE ON exporter.rejects FOR EACH STATEMENT EXECUTE FUNCTION refuse()`,
			afterwards: `DROP TRIGGER refuse ON exporter.rejects`,
		},
		"the last, by COMMIT": {
			when: refuse + `CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON samespace.calls DEFERRABLE INITIALLY DEFERRED
				FOR EACH ROW WHEN (NEW.id = 'b') EXECUTE FUNCTION refuse()`,
			afterwards: `DROP TRIGGER refuse ON samespace.calls`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			b := batch(w.lease(0), []sink.Row{row("a", 1, 1), row("b", 2, 1)})
			w.exec(c.when)
			counts, err := w.Commit(t.Context(), b)
			if lost := errors.Is(err, sink.ErrLeaseLost); err == nil || lost != c.lost {
				t.Errorf("got %v, want that it is refused (the lease is lost: %v)", err, c.lost)
			}
			w.equal("counts", counts, sink.Counts{})
			w.equal("rows, readings and open transactions", w.cell(`SELECT concat_ws(' ', (SELECT count(*) FROM samespace.calls),
				(SELECT count(*) FROM exporter.windows WHERE state <> 'running'),
				(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'))`), "0 0 0")
			w.equal("connections", w.pool.Stat().TotalConns(), int32(1))
			w.exec(c.afterwards)
			counts, err = w.Commit(t.Context(), b)
			w.noError(err)
			w.equal("counts afterwards", counts, sink.Counts{Inserted: 2})
		})
	}
}
