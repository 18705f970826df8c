package postgres

import (
	"sync"
	"testing"

	"samespace-exporter/internal/sink"
)

// Two commits that append the same row take turns, whatever isolation level the database has as its default.
func TestAppendsTakeTurns(t *testing.T) {
	for name, statement := range map[string]string{
		"read committed":  `SELECT 1`,
		"repeatable read": `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = ''repeatable read''', current_database()); END $$`,
	} {
		t.Run(name, func(t *testing.T) {
			dsn := server.Database(t)
			conn := connect(t, dsn)
			w := world{t: t, Warehouse: open(t, dsn), dsn: dsn, conn: conn}
			w.noError(w.Migrate(t.Context()))
			w.exec(statement)
			d := dataset()
			d.Table.Key, d.Table.ByWindow = nil, true
			w.Warehouse = open(t, dsn)
			_, err := w.Prepare(t.Context(), d)
			w.noError(err)
			batches := []sink.Batch{batch(w.lease(0), []sink.Row{row("a", 1, 1)}), batch(w.lease(1), []sink.Row{row("a", 1, 1)})}
			w.exec(`BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('append to "samespace"."calls"', 0))`)
			var group sync.WaitGroup
			for _, b := range batches {
				b.Table, b.Write = d.Table, sink.Append
				group.Go(func() {
					if _, err := w.Commit(t.Context(), b); err != nil {
						t.Error(err)
					}
				})
			}
			w.awaitLockWaits(2)
			w.exec(`COMMIT`)
			group.Wait()
			w.equal("rows", w.cell(`SELECT count(*) FROM samespace.calls`), "1")
		})
	}
}
