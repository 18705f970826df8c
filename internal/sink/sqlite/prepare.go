package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// Prepare makes or widens the report table, keeps the data dictionary current, and enters the dataset.
func (w *Warehouse) Prepare(ctx context.Context, d sink.Dataset) (prepared sink.Prepared, err error) {
	if name := strings.ToLower(d.Table.Name); strings.HasPrefix(name, "exporter_") || strings.HasPrefix(name, "sqlite_") {
		return sink.Prepared{}, errors.New("prepare: tables named exporter_ or sqlite_ are not for reports: name another table")
	}
	err = w.write(ctx, "prepare", func(tx *transaction) error {
		prepared, err = prepare(ctx, tx, d)
		return err
	})
	if err != nil {
		return sink.Prepared{}, err
	}
	return prepared, nil
}

func prepare(ctx context.Context, tx *transaction, d sink.Dataset) (prepared sink.Prepared, err error) {
	if d.Table, err = asMarked(ctx, tx, d.Table); err != nil {
		return prepared, err
	}
	if prepared, err = prepareTable(ctx, tx, d.Name, d.Table); err != nil {
		return prepared, err
	}
	for _, t := range d.FurtherTables {
		of, err := prepareTable(ctx, tx, d.Name, t)
		if err != nil {
			return prepared, err
		}
		prepared.Changes, prepared.Created = append(prepared.Changes, of.Changes...), prepared.Created || of.Created
	}
	of, err := prepareHistory(ctx, tx, d.Table)
	if err != nil {
		return prepared, err
	}
	prepared.Changes = append(prepared.Changes, of...)
	if !prepared.Created {
		if prepared.Renamed, err = renamed(ctx, tx, d.Table); err != nil {
			return prepared, err
		}
	}
	if err := enter(ctx, tx, d, &prepared); err != nil {
		return prepared, err
	}
	prepared.Unpromoted, err = unpromoted(ctx, tx, d)
	return prepared, err
}

// enter keeps the dataset and its fields, and what that means for the ledger.
func enter(ctx context.Context, tx *transaction, d sink.Dataset, p *sink.Prepared) error {
	before, form, err := datasetBefore(ctx, tx, d.Name)
	entered := err == nil
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if !p.Created && len(d.Table.Key) == 0 && before.table != d.Table.Name {
		if err := refuseStrangers(ctx, tx, d.Table); err != nil {
			return err
		}
	}
	if err := enterDataset(ctx, tx, d, p.Created); err != nil {
		return err
	}
	now := preparedWith(d)
	p.ConfigChanged = entered && before.config != now.config
	outgrown := entered && d.Outgrows(form, p.ConfigChanged)
	if entered && (before != now || outgrown) {
		if err := voidLeases(ctx, tx, d.Name); err != nil {
			return err
		}
	}
	switch {
	case p.Created: // what the ledger says is of another table
		return resetTable(ctx, tx, d.Table.Name)
	case entered && before.table != now.table:
		return resetLedger(ctx, tx, d.Name)
	}
	if outgrown { // before the other delays: those are for windows that may be read again
		if p.Outgrown, err = outgrow(ctx, tx, d.Name); err != nil {
			return err
		}
	}
	if entered && before.reread != now.reread {
		if err := moveRereads(ctx, tx, d); err != nil {
			return err
		}
	}
	if p.ConfigChanged {
		_, err := tx.ExecContext(ctx, statement("windows_retry"), sql.Named("dataset", d.Name))
		return err
	}
	return nil
}

// prepareTable makes a table of a dataset what it should be ("": of none, as that of a history is).
func prepareTable(ctx context.Context, tx *transaction, dataset string, t schema.Table) (prepared sink.Prepared, err error) {
	have, err := existing(ctx, tx, t.Name)
	if err != nil {
		return sink.Prepared{}, fmt.Errorf("look at table %s: %w", t.Name, err)
	}
	if have != nil {
		if err := learnMakings(ctx, tx, dataset, t.Name, have); err != nil {
			return sink.Prepared{}, fmt.Errorf("look at table %s: %w", t.Name, err)
		}
	}
	changes, err := schema.Plan(t, have, dialect{})
	if err != nil {
		return sink.Prepared{}, err
	}
	prepared.Created = have == nil
	for _, c := range changes {
		ddl, err := alter(ctx, tx, t, c)
		if err != nil {
			return sink.Prepared{}, fmt.Errorf("change table %s: %w", t.Name, err)
		}
		prepared.Changes = append(prepared.Changes, ddl)
	}
	return prepared, nil
}

// refuseStrangers fails where a table that is new to its dataset has rows.
func refuseStrangers(ctx context.Context, tx *transaction, t schema.Table) error {
	var taken bool
	if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM "+quote(t.Name)+")").Scan(&taken); err != nil || !taken {
		return err
	}
	return schema.Strangers(t, dialect{})
}

// existing is the table as it is; nil when there is none.
func existing(ctx context.Context, tx *transaction, table string) (*schema.Existing, error) {
	have := &schema.Existing{}
	key := map[int]string{}
	rows, err := tx.QueryContext(ctx, statement("existing_columns"), sql.Named("table", table))
	err = each(rows, err, func() error {
		var c schema.ExistingColumn
		var place int
		err := rows.Scan(&c.Name, &c.Native, &c.NotNull, &place)
		have.Columns = append(have.Columns, c)
		if place > 0 {
			key[place] = c.Name
		}
		return err
	})
	if err != nil || len(have.Columns) == 0 {
		return nil, err
	}
	for place := 1; place <= len(key); place++ {
		have.Key = append(have.Key, key[place])
	}
	rows, err = tx.QueryContext(ctx, statement("existing_indexed"), sql.Named("table", table))
	err = each(rows, err, func() error {
		var name string
		err := rows.Scan(&name)
		have.Indexed = append(have.Indexed, name)
		return err
	})
	return have, err
}

// learnMakings completes a table with how its values were made.
func learnMakings(ctx context.Context, tx *transaction, dataset, table string, have *schema.Existing) error {
	var known bool
	if err := tx.QueryRowContext(ctx, statement("makings_exist")).Scan(&known); err != nil || !known {
		return err
	}
	rows, err := tx.QueryContext(ctx, statement("makings"), sql.Named("dataset", dataset), sql.Named("table", table)) //nolint:sqlclosecheck // each closes them
	return each(rows, err, func() error {
		var column string
		var m schema.Making
		if err := rows.Scan(&column, &m.ID, &m.Transform); err != nil {
			return err
		}
		have.SetMaking("exporter_fields", table, column, m)
		return nil
	})
}

// alter does one change, and returns the statement that did it.
func alter(ctx context.Context, tx *transaction, t schema.Table, c schema.Change) (ddl string, err error) {
	switch c.Kind {
	case schema.CreateTable:
		ddl = createTable(t)
	case schema.AddColumn:
		ddl = addColumn(t, c.Column)
	case schema.WidenColumn:
		return widen(ctx, tx, t, c)
	case schema.CreateIndex:
		name, err := freeName(ctx, tx, t.Name+"_"+c.Column.Name+"_idx")
		if err != nil {
			return "", err
		}
		ddl = createIndex(t, c.Column, name)
	default:
		return "", fmt.Errorf("no way to make change %d in SQLite", c.Kind)
	}
	_, err = tx.ExecContext(ctx, ddl)
	return ddl, err
}

// freeName is a name that no table or index has: a table that was set aside keeps its indexes.
func freeName(ctx context.Context, tx *transaction, wish string) (string, error) {
	for name, n := wish, 2; ; name, n = fmt.Sprint(wish, n), n+1 {
		var taken bool
		err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ? COLLATE NOCASE)`, name).Scan(&taken)
		if err != nil || !taken {
			return name, err
		}
	}
}

func enterDataset(ctx context.Context, tx *transaction, d sink.Dataset, created bool) error {
	if _, err := tx.ExecContext(ctx, statement("dataset_enter"), sql.Named("dataset", d.Name), sql.Named("kind", string(d.Kind)),
		sql.Named("table_name", d.Table.Name), sql.Named("config_hash", d.ConfigHash), sql.Named("reread", rereadText(d.Reread)),
		sql.Named("form", d.FormText())); err != nil {
		return fmt.Errorf("enter dataset: %w", err)
	}
	if created {
		if _, err := tx.ExecContext(ctx, statement("makings_forget"), sql.Named("table", d.Table.Name)); err != nil {
			return fmt.Errorf("keep dictionary: %w", err)
		}
	}
	columns := slices.Concat(d.Table.Columns, d.Table.OwnColumns())
	if _, err := tx.ExecContext(ctx, statement("fields_clear"), sql.Named("dataset", d.Name), sql.Named("columns", columnNames(columns))); err != nil {
		return fmt.Errorf("keep dictionary: %w", err)
	}
	for i, c := range columns {
		if _, err := tx.ExecContext(ctx, statement("fields_enter"), sql.Named("dataset", d.Name), sql.Named("table_name", d.Table.Name),
			sql.Named("column_name", c.Name), sql.Named("position", i+1), sql.Named("metric_id", c.ID),
			sql.Named("title", c.Title), sql.Named("type", c.Type.String()), sql.Named("transform", c.Transform), sql.Named("created", created)); err != nil {
			return fmt.Errorf("keep dictionary: %w", err)
		}
	}
	return nil
}

// columnNames are the columns' names as a JSON list.
func columnNames(columns []schema.Column) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	list, _ := json.Marshal(names) // strings always can be
	return string(list)
}

// preparation is what a dataset was last prepared with.
type preparation struct{ table, reread, config string }

func preparedWith(d sink.Dataset) preparation {
	return preparation{table: d.Table.Name, reread: rereadText(d.Reread), config: d.ConfigHash}
}

// datasetBefore is that of before, and the form of its rows. It fails with sql.ErrNoRows when the dataset was never prepared.
func datasetBefore(ctx context.Context, tx *transaction, dataset string) (before preparation, form string, err error) {
	row := tx.QueryRowContext(ctx, statement("dataset_before"), sql.Named("dataset", dataset))
	err = row.Scan(&before.table, &before.reread, &before.config, &form)
	return before, form, err
}

// rereadText is the list of delays in a form that is the same whatever their order.
func rereadText(r window.Reread) string {
	var delays []string
	for _, delay := range slices.Sorted(slices.Values(r)) {
		delays = append(delays, delay.String())
	}
	return strings.Join(delays, " ")
}

// voidLeases ends the open leases of the dataset: their windows are due, and have an epoch that their holders do not.
func voidLeases(ctx context.Context, tx *transaction, dataset string) error {
	var epoch int64
	if err := tx.QueryRowContext(ctx, statement("next_epoch"), sql.Named("dataset", dataset)).Scan(&epoch); err != nil {
		return fmt.Errorf("void leases: %w", err)
	}
	if _, err := tx.ExecContext(ctx, statement("leases_void"), sql.Named("dataset", dataset), sql.Named("epoch", epoch)); err != nil {
		return fmt.Errorf("void leases: %w", err)
	}
	return nil
}

// resetTable makes the windows of every dataset of the table as if they had never been read.
func resetTable(ctx context.Context, tx *transaction, table string) error {
	var datasets []string
	rows, err := tx.QueryContext(ctx, statement("datasets_of_table"), sql.Named("table", table)) //nolint:sqlclosecheck // each closes them
	err = each(rows, err, func() error {
		var dataset string
		err := rows.Scan(&dataset)
		datasets = append(datasets, dataset)
		return err
	})
	if err != nil {
		return fmt.Errorf("reset ledger: %w", err)
	}
	for _, dataset := range datasets {
		if err := resetLedger(ctx, tx, dataset); err != nil {
			return err
		}
	}
	return nil
}

// resetLedger makes the dataset's windows as if they had never been read.
func resetLedger(ctx context.Context, tx *transaction, dataset string) error {
	var epoch int64
	if err := tx.QueryRowContext(ctx, statement("dataset_reset"), sql.Named("dataset", dataset)).Scan(&epoch); err != nil {
		return fmt.Errorf("reset ledger: %w", err)
	}
	if _, err := tx.ExecContext(ctx, statement("windows_reset"), sql.Named("dataset", dataset), sql.Named("epoch", epoch)); err != nil {
		return fmt.Errorf("reset ledger: %w", err)
	}
	return nil
}

// moveRereads works out anew when the windows that were read to their end are to be read next.
func moveRereads(ctx context.Context, tx *transaction, d sink.Dataset) error {
	type reading struct{ start, end, readAt time.Time }
	var readings []reading
	rows, err := tx.QueryContext(ctx, statement("reread_windows"), sql.Named("dataset", d.Name))
	err = each(rows, err, func() error {
		var r reading
		err := rows.Scan(at(&r.start), at(&r.end), at(&r.readAt))
		readings = append(readings, r)
		return err
	})
	if err != nil {
		return fmt.Errorf("move re-reads: %w", err)
	}
	move, err := tx.PrepareContext(ctx, statement("reread_move"))
	if err != nil {
		return fmt.Errorf("move re-reads: %w", err)
	}
	defer func() { _ = move.Close() }()
	for _, r := range readings {
		state, next := sink.StateFinal, time.Time{}
		if at, ok := d.Reread.Next(r.end, r.readAt); ok {
			state, next = sink.StateRead, at
		}
		if _, err := move.ExecContext(ctx, sql.Named("dataset", d.Name), sql.Named("start_at", stamp(r.start)),
			sql.Named("state", string(state)), sql.Named("next_read_at", stamp(next))); err != nil {
			return fmt.Errorf("move re-reads: %w", err)
		}
	}
	return nil
}
