package postgres

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/sink/sinktest"
	"samespace-exporter/internal/sink/testdb"
)

var server testdb.Server

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }

func TestContract(t *testing.T) {
	exercise(t, func(dsn string) string { return dsn })
}

// The same contract where values travel as texts within the statements, whose types the server has to guess.
func TestContractInTheSimpleProtocol(t *testing.T) {
	exercise(t, func(dsn string) string { return with(dsn, "default_query_exec_mode", "simple_protocol") })
}

// The same contract behind PgBouncer, which gives each transaction whichever session is free.
func TestNetworkContractThroughPgBouncer(t *testing.T) {
	exercise(t, func(dsn string) string { return testdb.PgBouncer(t, dsn) })
}

// exercise runs the contract suite. way is the DSN by which the warehouse gets to a database.
func exercise(t *testing.T, way func(dsn string) string) {
	// One database and its sessions for all, emptied after each: making them anew takes most of the time.
	direct := server.Database(t)
	dsn := way(direct)
	query, w := connect(t, direct), open(t, dsn)
	if err := w.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	sinktest.Exercise(t, func(t *testing.T) sinktest.Harness {
		t.Cleanup(func() {
			const empty = `DROP SCHEMA IF EXISTS samespace CASCADE; DELETE FROM exporter.datasets; DELETE FROM exporter.windows;
				DELETE FROM exporter.runs; DELETE FROM exporter.rejects; DELETE FROM exporter.fields;
				DELETE FROM exporter.limits; DELETE FROM exporter.budgets; DELETE FROM exporter.reconciliations;
				DELETE FROM exporter.arrivals; DELETE FROM exporter.retentions; DELETE FROM exporter.contracts`
			if _, err := texts(context.WithoutCancel(t.Context()), query, empty); err != nil {
				t.Error(err)
			}
		})
		return sinktest.Harness{
			Warehouse: w,
			Second:    func() sinktest.Warehouse { return open(t, dsn) },
			Unmigrated: func() (first, second sinktest.Warehouse) {
				dsn := way(server.Database(t))
				return open(t, dsn), open(t, dsn)
			},
			Query: func(ctx context.Context, statement string) ([][]string, error) { return texts(ctx, query, statement) },
			Table: func(name string) string { return pgx.Identifier{"samespace", name}.Sanitize() },
			AsOf: func(table string, at time.Time) string {
				return pgx.Identifier{"samespace", table + "_as_of"}.Sanitize() + "('" + at.Format(time.RFC3339Nano) + "')"
			},
			Versions: func(table string) string { return pgx.Identifier{"samespace", table + "_versions"}.Sanitize() + "()" },
			Own:      func(name string) string { return "exporter." + name },
			Comment: func(table, column string) string {
				comment := ""
				const statement = `SELECT coalesce(CASE WHEN $2 = '' THEN obj_description(c.oid) ELSE
					(SELECT col_description(c.oid, attnum) FROM pg_attribute WHERE attrelid = c.oid AND attname = $2) END, '')
					FROM pg_class AS c WHERE c.oid = $1::regclass`
				if err := query.QueryRow(t.Context(), statement, "samespace."+table, column).Scan(&comment); err != nil {
					t.Error(err)
				}
				return comment
			},
		}
	})
}

// open makes a warehouse that is closed before its database is dropped.
func open(t *testing.T, dsn string) *Warehouse {
	t.Helper()
	w, err := Open(t.Context(), Options{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// texts is the rows of a query, every cell as Postgres writes it.
func texts(ctx context.Context, conn *pgx.Conn, statement string) ([][]string, error) {
	results, err := conn.PgConn().Exec(ctx, statement).ReadAll()
	if err != nil {
		return nil, err
	}
	var all [][]string
	for _, row := range results[len(results)-1].Rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			if cells[i] = "NULL"; cell != nil {
				cells[i] = string(cell)
			}
		}
		all = append(all, cells)
	}
	return all, nil
}
