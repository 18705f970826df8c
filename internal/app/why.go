package app

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// Life is what is known of a row: its versions, in order of time.
type Life struct {
	Dataset  string    `json:"dataset"`
	Table    string    `json:"table"`
	Key      []KeyPart `json:"key"`
	History  bool      `json:"history"` // false: only the version that the table has is known
	Versions []Version `json:"versions"`
}

// KeyPart is a column of a key, and its value.
type KeyPart struct {
	Column string `json:"column"`
	Value  any    `json:"value"`
}

// Version is a row as it is or was.
type Version struct {
	From        time.Time  `json:"from"`
	To          *time.Time `json:"to"` // null: it is valid now
	WindowStart time.Time  `json:"window_start"`
	Deleted     bool       `json:"deleted"`
	// Cause is what made it in place of the one before: read, gone, retry or promotion; "" where that one is not known.
	Cause string `json:"cause,omitempty"`
	Run   int64  `json:"run_id,omitempty"`
	// Changes are what differs from the version before, where that is known.
	Changes []Change       `json:"changes,omitempty"`
	Row     map[string]any `json:"row"`
	Columns []string       `json:"-"` // of Row, in their order
}

// Change is a column that another version has otherwise; or, as _extra.ID, a value that the mapping does not name.
type Change struct {
	Column string `json:"column"`
	Before any    `json:"before"`
	After  any    `json:"after"`
}

// NoRowError says that no version is known of a row.
type NoRowError struct{ Life }

func (e *NoRowError) Error() string {
	var key []string
	for _, part := range e.Key {
		key = append(key, fmt.Sprintf("%s = %v", part.Column, part.Value))
	}
	where := "in table " + e.Table
	if e.History {
		where += " or its history"
	}
	return fmt.Sprintf("there is no row with %s %s; give the key as the table has it", strings.Join(key, ", "), where)
}

// Why tells the life of the row of a dataset that has a key. Errors: *UnknownDatasetError, *schema.KeyError, *NoRowError,
// export.ErrNotPrepared.
func (a *App) Why(ctx context.Context, dataset string, key []string) (Life, error) {
	chosen, err := a.choose([]string{dataset})
	if err != nil {
		return Life{}, err
	}
	e := chosen[0]
	table := e.Dataset.Mapper.Table()
	row, err := table.KeyFrom(key, e.Dataset.Grid.Location())
	if err != nil {
		return Life{}, err
	}
	life := Life{Dataset: dataset, Table: table.Name, History: table.History, Versions: []Version{}}
	for _, place := range table.KeyIndexes() {
		life.Key = append(life.Key, KeyPart{table.Columns[place].Name, plain(table.Columns[place].Type, row.Values[place])})
	}
	versions, err := e.Versions(ctx, row)
	if err != nil {
		return Life{}, err
	}
	if len(versions) == 0 {
		return Life{}, &NoRowError{life}
	}
	for i, v := range versions {
		told := versionOf(table, v)
		for _, name := range v.Changed {
			switch name {
			case schema.DeletedAtColumn: // Deleted says so
			case schema.ExtraColumn:
				told.Changes = append(told.Changes, changesOfExtra(versions[i-1].Extra, v.Extra)...)
			default:
				told.Changes = append(told.Changes, Change{name, life.Versions[i-1].Row[name], told.Row[name]})
			}
		}
		life.Versions = append(life.Versions, told)
	}
	return life, nil
}

func versionOf(t schema.Table, v sink.Version) Version {
	told := Version{
		From: v.From(), WindowStart: v.WindowStart, Deleted: v.Deleted, Cause: string(v.Cause), Run: int64(v.Run), Row: map[string]any{},
	}
	if !v.To.IsZero() {
		told.To = &v.To
	}
	for i, c := range t.Columns {
		told.Row[c.Name] = plain(c.Type, v.Values[i])
		told.Columns = append(told.Columns, c.Name)
	}
	if !v.Extra.IsNull() {
		told.Row[schema.ExtraColumn] = plain(schema.JSON, v.Extra)
		told.Columns = append(told.Columns, schema.ExtraColumn)
	}
	return told
}

// changesOfExtra are the values in _extra that differ, each named by its id.
func changesOfExtra(before, after schema.Value) (changes []Change) {
	was, is := extraOf(before), extraOf(after)
	ids := slices.Sorted(maps.Keys(was))
	for _, id := range slices.Sorted(maps.Keys(is)) {
		if _, both := was[id]; !both {
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		if string(was[id]) != string(is[id]) {
			changes = append(changes, Change{schema.ExtraColumn + "." + id, orNull(was[id]), orNull(is[id])})
		}
	}
	return changes
}

// extraOf is what _extra has, by id: nothing where it is NULL, or somebody else's.
func extraOf(v schema.Value) (values map[string]json.RawMessage) {
	_ = json.Unmarshal([]byte(v.Str()), &values)
	return values
}

func orNull(raw json.RawMessage) any {
	if raw == nil {
		return nil
	}
	return raw
}

// plain is a value for people and for JSON. What somebody else put there and is none of the type is shown as text.
func plain(t schema.Type, v schema.Value) any {
	foreign := v.Foreign(t)
	switch {
	case v.IsNull():
		return nil
	case foreign != "":
		return foreign
	case t == schema.Integer:
		return v.Int()
	case t == schema.Boolean:
		return v.Bool()
	case t == schema.Float && !math.IsNaN(v.Float()) && !math.IsInf(v.Float(), 0): // these are no numbers of JSON
		return v.Float()
	case t == schema.Float, t == schema.Timestamptz, t == schema.Timestamp, t == schema.Date:
		return v.Text(t)
	}
	return plainText(t, v.Str())
}

func plainText(t schema.Type, text string) any {
	switch {
	case !json.Valid([]byte(text)):
		return text
	case t == schema.JSON:
		return json.RawMessage(text)
	case t == schema.Numeric || t == schema.Duration:
		return json.Number(text)
	}
	return text
}
