package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

var errNoCitus = errors.New("warehouse.distribute is set, but the database has no Citus: run CREATE EXTENSION citus, or set it to false")

// Prepare makes the report table, or what it lacks, and enters the dataset. Processes that start at once wait
// for each other where the dataset or a table is the same. Sessions need no reset: they remember descriptions of the
// exporter's own tables only.
func (w *Warehouse) Prepare(ctx context.Context, d sink.Dataset) (prepared sink.Prepared, err error) {
	err = w.inTx(ctx, "prepare", func(tx pgx.Tx) error {
		if err := w.takePrepareTurn(ctx, tx, d); err != nil {
			return err
		}
		if err := w.awaitSchema(ctx, tx); err != nil {
			return err
		}
		prepared, err = w.prepare(ctx, tx, d)
		return err
	})
	if err != nil {
		return sink.Prepared{}, err
	}
	return prepared, nil
}

func (w *Warehouse) prepare(ctx context.Context, tx pgx.Tx, d sink.Dataset) (prepared sink.Prepared, err error) {
	if d.Table, err = w.asMarked(ctx, tx, d.Table); err != nil {
		return prepared, err
	}
	for _, table := range append([]schema.Table{d.Table}, d.FurtherTables...) {
		statements, created, err := w.changes(ctx, tx, d.Name, table)
		if err != nil {
			return prepared, err
		}
		patience := w.ddlTimeout
		if created {
			patience = w.timeout // nothing takes long on an empty table
		}
		if err := w.alter(ctx, tx, statements, patience); err != nil {
			return prepared, err
		}
		prepared.Changes, prepared.Created = append(prepared.Changes, statements...), prepared.Created || created
	}
	statements, err := w.historyChanges(ctx, tx, d.Table)
	if err != nil {
		return prepared, err
	}
	if err := w.alter(ctx, tx, statements, w.ddlTimeout); err != nil {
		return prepared, err
	}
	prepared.Changes = append(prepared.Changes, statements...)
	if !prepared.Created {
		if prepared.Renamed, err = w.renamed(ctx, tx, d.Table); err != nil {
			return prepared, err
		}
	}
	if err := w.enter(ctx, tx, d, &prepared); err != nil {
		return prepared, err
	}
	prepared.Unpromoted, err = unpromoted(ctx, tx, d)
	return prepared, err
}

// takePrepareTurn waits until nobody else prepares the dataset or one of its tables: not for long, since their DDL may take hours.
func (w *Warehouse) takePrepareTurn(ctx context.Context, tx pgx.Tx, d sink.Dataset) error {
	names := []string{"dataset " + d.Name}
	for _, t := range append([]schema.Table{d.Table}, d.FurtherTables...) {
		names = append(names, w.target(t).name())
	}
	if err := lockWithin(ctx, tx, w.timeout/turn); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, statement("prepare_turn"), names); err != nil {
		if sqlState(err) == lockTimedOut {
			return fmt.Errorf("%w: %w", sink.ErrBeingPrepared, err)
		}
		return err
	}
	return lockWithin(ctx, tx, 0)
}

// awaitSchema waits, where the schema is not there, for whoever may be making it for another table. All tables of one that
// is not there are new, so that takes no time.
func (w *Warehouse) awaitSchema(ctx context.Context, tx pgx.Tx) error {
	if exists, err := schemaExists(ctx, tx, w.schema); exists || err != nil {
		return err
	}
	return takeLock(ctx, tx, schemaLock)
}

// changes are the statements that make a table of a dataset what it should be ("": of none, as those of a history are); created says
// whether it is not there.
func (w *Warehouse) changes(ctx context.Context, tx pgx.Tx, dataset string, table schema.Table) (statements []string, created bool, err error) {
	t := w.target(table)
	have, err := existing(ctx, tx, t)
	if err != nil {
		return nil, false, err
	}
	if have == nil {
		if exists, err := schemaExists(ctx, tx, w.schema); err != nil {
			return nil, false, err
		} else if !exists {
			statements = append(statements, createSchema(w.schema))
		}
	} else if err := learnMakings(ctx, tx, dataset, t, have); err != nil {
		return nil, false, err
	}
	changes, err := schema.Plan(table, have, dialect{w.schema})
	if err != nil {
		return nil, false, err
	}
	for _, c := range changes {
		statements = append(statements, t.render(c))
		if c.Kind == schema.CreateTable && w.distribute && len(t.Key) > 0 {
			statements = append(statements, t.distribute())
		}
	}
	return statements, have == nil, nil
}

// existing is the table as it is; nil when it is not there.
func existing(ctx context.Context, tx pgx.Tx, t target) (*schema.Existing, error) {
	var have schema.Existing
	var oid uint32
	err := tx.QueryRow(ctx, statement("existing_table"), t.schemaName, t.Name).
		Scan(&oid, &have.Comment, &have.Key, &have.Indexed)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, statement("existing_columns"), oid)
	if err != nil {
		return nil, err
	}
	have.Columns, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c schema.ExistingColumn, err error) {
		err = row.Scan(&c.Name, &c.Native, &c.Comment, &c.NotNull)
		return c, err
	})
	return &have, err
}

// learnMakings completes a table with how its values were made.
func learnMakings(ctx context.Context, tx pgx.Tx, dataset string, t target, have *schema.Existing) error {
	var known bool
	if err := tx.QueryRow(ctx, statement("makings_exist")).Scan(&known); err != nil || !known {
		return err
	}
	rows, err := tx.Query(ctx, statement("makings"), dataset, t.schemaName, t.Name)
	if err != nil {
		return err
	}
	var column string
	var m schema.Making
	_, err = pgx.ForEachRow(rows, []any{&column, &m.ID, &m.Transform}, func() error {
		have.SetMaking("exporter.fields", t.Name, column, m)
		return nil
	})
	return err
}

// alter runs the statements, none of which waits long for a lock: whoever waits for a table makes all wait
// that come later.
func (w *Warehouse) alter(ctx context.Context, tx pgx.Tx, statements []string, patience time.Duration) error {
	if len(statements) == 0 {
		return nil
	}
	if err := w.checkCitus(ctx, tx); err != nil {
		return err
	}
	if err := waitFor(ctx, tx, patience); err != nil {
		return err
	}
	if err := lockWithin(ctx, tx, w.lockTimeout); err != nil {
		return err
	}
	for _, s := range statements {
		if _, err := tx.Exec(ctx, s, pgx.QueryExecModeSimpleProtocol); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	if err := lockWithin(ctx, tx, 0); err != nil {
		return err
	}
	return waitFor(ctx, tx, w.timeout)
}

// checkCitus makes sure that tables can be distributed where they are to be.
func (w *Warehouse) checkCitus(ctx context.Context, tx pgx.Tx) error {
	var version string
	if !w.distribute {
		return nil
	}
	err := tx.QueryRow(ctx, statement("citus_version")).Scan(&version)
	if errors.Is(err, pgx.ErrNoRows) {
		return errNoCitus
	}
	return err
}

// enter keeps the dataset and its fields, and what that means for the ledger.
func (w *Warehouse) enter(ctx context.Context, tx pgx.Tx, d sink.Dataset, p *sink.Prepared) error {
	reread := append([]time.Duration{}, d.Reread...)
	var moved, restated bool
	var form string
	err := tx.QueryRow(ctx, statement("dataset_before"), d.Name, w.schema, d.Table.Name, reread, d.ConfigHash).
		Scan(&moved, &restated, &p.ConfigChanged, &form)
	entered := err == nil
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if !p.Created && len(d.Table.Key) == 0 && (!entered || moved) {
		if err := w.refuseStrangers(ctx, tx, d.Table); err != nil {
			return err
		}
	}
	if _, err = tx.Exec(ctx, statement("dataset_enter"), d.Name, d.Kind, w.schema, d.Table.Name, d.ConfigHash, reread, d.FormText()); err != nil {
		return err
	}
	if err := w.enterFields(ctx, tx, d, p.Created); err != nil {
		return err
	}
	outgrown := entered && d.Outgrows(form, p.ConfigChanged)
	if moved || restated || outgrown || p.ConfigChanged { // before the rest: it waits for commits that settle by the older config
		if _, err := tx.Exec(ctx, statement("leases_void"), d.Name); err != nil {
			return err
		}
	}
	switch {
	case p.Created: // what the ledger says is of another table
		return w.forgetTable(ctx, tx, d.Table.Name)
	case moved:
		_, err := tx.Exec(ctx, statement("windows_forget"), d.Name)
		return err
	}
	if outgrown { // before the other delays: those are for windows that may be read again
		if p.Outgrown, err = outgrow(ctx, tx, d.Name); err != nil {
			return err
		}
	}
	if restated {
		if _, err := tx.Exec(ctx, statement("windows_reread"), d.Name); err != nil {
			return err
		}
	}
	if p.ConfigChanged {
		_, err = tx.Exec(ctx, statement("windows_retry"), d.Name)
	}
	return err
}

// refuseStrangers fails where a table that is new to its dataset has rows.
func (w *Warehouse) refuseStrangers(ctx context.Context, tx pgx.Tx, t schema.Table) error {
	var taken bool
	if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM "+w.target(t).name()+")").Scan(&taken); err != nil || !taken {
		return err
	}
	return schema.Strangers(t, dialect{w.schema})
}

// forgetTable makes the windows of every dataset of a table as if never read. Two of them that wait for each other, since
// their datasets change tables, are tried again.
func (w *Warehouse) forgetTable(ctx context.Context, tx pgx.Tx, table string) error {
	rows, err := tx.Query(ctx, statement("datasets_of_table"), w.schema, table)
	if err != nil {
		return err
	}
	datasets, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, dataset := range datasets {
		if _, err := tx.Exec(ctx, statement("windows_forget"), dataset); err != nil {
			return err
		}
	}
	return nil
}

// enterFields keeps the data dictionary. Fields that are as they were are not written.
func (w *Warehouse) enterFields(ctx context.Context, tx pgx.Tx, d sink.Dataset, created bool) error {
	var names, ids, titles, types, transforms []string
	for _, c := range slices.Concat(d.Table.Columns, d.Table.OwnColumns()) {
		names, ids = append(names, c.Name), append(ids, clean(c.ID))
		titles, types, transforms = append(titles, clean(c.Title)), append(types, c.Type.String()), append(transforms, c.Transform)
	}
	queued := &pgx.Batch{}
	if created {
		queued.Queue(statement("makings_forget"), w.schema, d.Table.Name)
	}
	queued.Queue(statement("fields_forget"), d.Name, names)
	queued.Queue(statement("fields_enter"), d.Name, w.schema, d.Table.Name, names, ids, titles, types, created, transforms)
	return tx.SendBatch(ctx, queued).Close()
}
