package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/schema"
)

// errUndo ends a transaction whose work is not to stay.
var errUndo = errors.New("undo")

// oldestServer is the oldest server that is tested, as server_version_num has it.
const oldestServer = 150000

// Check does what an export needs, in a transaction that it rolls back.
func (w *Warehouse) Check(ctx context.Context) (line string, err error) {
	err = w.inTx(ctx, "check warehouse", func(tx pgx.Tx) error {
		var database, version, citus string
		var number int
		if err := tx.QueryRow(ctx, statement("check_server")).Scan(&database, &version, &number, &citus); err != nil {
			return err
		}
		if number < oldestServer {
			return fmt.Errorf("the server is PostgreSQL %s: 15 or newer is needed", version)
		}
		if err := w.checkCitus(ctx, tx); err != nil {
			return err
		}
		if citus != "" {
			citus = ", Citus " + citus
		}
		for _, name := range slices.Compact([]string{w.schema, "exporter"}) {
			if err := tryWriting(ctx, tx, name); err != nil {
				return fmt.Errorf("the role cannot create and write tables in schema %s of database %s "+
					"(grant it CREATE on the database, or CREATE and USAGE on the schema): %w", name, database, err)
			}
		}
		var closed string
		if err := tx.QueryRow(ctx, statement("check_rights")).Scan(&closed); err != nil {
			return err
		}
		if closed != "" {
			return fmt.Errorf("the role cannot read and write the exporter's own tables %s: "+
				"grant it SELECT, INSERT, UPDATE and DELETE on all tables in schema exporter", closed)
		}
		line = fmt.Sprintf("PostgreSQL %s%s, database %s, schema %s: can create and write", version, citus, database, w.schema)
		return errUndo
	})
	if errors.Is(err, errUndo) {
		return line, nil
	}
	return "", err
}

// tryWriting makes a table in the schema, writes to it by way of a staging table, and drops both.
func tryWriting(ctx context.Context, tx pgx.Tx, schemaName string) error {
	t := target{schemaName: schemaName, Table: schema.Table{
		Name: "_exporter_check", Columns: []schema.Column{{Name: "id", Type: schema.Integer}}, Key: []string{"id"},
	}}
	exists, err := schemaExists(ctx, tx, schemaName)
	if err != nil {
		return err
	}
	statements := []string{t.create(), t.createStage()}
	if !exists {
		statements = append([]string{createSchema(schemaName)}, statements...)
	}
	for _, s := range statements {
		if _, err := tx.Exec(ctx, s, pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
	}
	if _, err := arrange(t, nil).upsert(ctx, tx.Conn().PgConn()); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "DROP TABLE "+stageTable+"; DROP TABLE "+t.name(), pgx.QueryExecModeSimpleProtocol)
	return err
}
