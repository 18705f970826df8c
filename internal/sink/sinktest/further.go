package sinktest

import (
	"context"
	"strings"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

func furtherTests() []exercise {
	return []exercise{
		{"tables are made and widened", testFurtherPrepare},
		{"rows are written with the batch's", testFurtherCommit},
		{"all or nothing", testFurtherAllOrNothing},
	}
}

const agentsTable = "agents"

// furtherDataset is the dataset calls with a table of agents beside its own.
func furtherDataset() sink.Dataset {
	d := callsDataset()
	d.FurtherTables = []schema.Table{{
		Name: agentsTable, Key: []string{"agent"},
		Columns: []schema.Column{{Name: "agent", Type: schema.Text}, {Name: "level", Type: schema.Integer}},
	}}
	return d
}

func agent(name string, level int64) sink.Row {
	return sink.Row{WindowStart: clock(0, 0), Row: schema.Row{Values: []schema.Value{schema.StrValue(name), schema.IntValue(level)}}}
}

func (b bench) agentLevels() string {
	b.t.Helper()
	return b.column(`SELECT agent || '=' || level FROM ` + b.Table(agentsTable) + ` ORDER BY 1`)
}

func testFurtherPrepare(b bench) {
	d := furtherDataset()
	made := b.prepare(d)
	if all := strings.Join(made.Changes, "\n"); !made.Created || strings.Count(all, "CREATE TABLE") != 2 {
		b.t.Errorf("%+v", made)
	}
	equal(b, "again", len(b.prepare(d).Changes), 0)
	d.FurtherTables[0].Columns = append(d.FurtherTables[0].Columns, schema.Column{Name: "team", Type: schema.Text})
	wider := b.prepare(d)
	if len(wider.Changes) == 0 || wider.Created {
		b.t.Errorf("%+v", wider)
	}
	b.plan(hours(0, 1), clock(1, 0))
	b.settled(hours(0, 1), time.Time{})
	b.query(`DROP TABLE ` + b.Table(agentsTable))
	equal(b, "made anew", b.prepare(d).Created, true)
	equal(b, "what was in it is read again", b.entry(0).State, sink.StateDue)
}

// withAgents is a batch of calls, and of agents beside them.
func (b bench) withAgents(agents []sink.Row, rows ...sink.Row) sink.Batch {
	b.t.Helper()
	batch := read(b.claim(within(hours(0, 1))), clock(1, 0), clock(0, 0), rows...)
	batch.FurtherRows = []sink.TableRows{{Table: furtherDataset().FurtherTables[0], Rows: agents}}
	return batch
}

func testFurtherCommit(b bench) {
	b.prepare(furtherDataset())
	b.plan(hours(0, 1), clock(0, 0))
	one := call("a", clock(0, 1), "Asha", 1)
	equal(b, "fresh", b.commit(b.withAgents([]sink.Row{agent("b", 1), agent("a", 1)}, one)), sink.Counts{Inserted: 3})
	equal(b, "mixed", b.commit(b.withAgents([]sink.Row{agent("b", 2), agent("a", 1), agent("c", 1)}, one)), sink.Counts{Inserted: 1, Updated: 1, Unchanged: 2})
	equal(b, "both changed", b.commit(b.withAgents([]sink.Row{agent("b", 3)}, call("a", clock(0, 1), "Asha", 2))), sink.Counts{Updated: 2})
	equal(b, "both changed back", b.commit(b.withAgents([]sink.Row{agent("b", 2)}, one)), sink.Counts{Updated: 2})
	equal(b, "none", b.commit(b.withAgents(nil, one)), sink.Counts{Unchanged: 1})
	equal(b, "agents", b.agentLevels(), "a=1 b=2 c=1")
	equal(b, "calls", b.agents(), "a=Asha/1")
}

func testFurtherAllOrNothing(b bench) {
	b.prepare(furtherDataset())
	b.plan(hours(0, 1), clock(0, 0))
	b.commit(b.withAgents([]sink.Row{agent("a", 1)}))
	batch := b.withAgents([]sink.Row{agent("a", 9)}, call("a", clock(0, 1), "Asha", 1))
	before := b.everything()
	if _, err := b.Commit(cancelled(b.t), batch); err == nil {
		b.t.Error("committed under a context that has ended")
	}
	poisoned := batch
	poisoned.FurtherRows = append([]sink.TableRows{{Table: schema.Table{Name: "absent", Key: []string{"k"}, Columns: []schema.Column{{Name: "k", Type: schema.Text}}},
		Rows: []sink.Row{{WindowStart: clock(0, 0), Row: schema.Row{Values: []schema.Value{schema.StrValue("k")}}}}}}, batch.FurtherRows...)
	if _, err := b.Commit(b.t.Context(), poisoned); err == nil {
		b.t.Error("committed though a table is not there")
	}
	equal(b, "what the warehouse holds", b.everything(), before)
	equal(b, "agents", b.agentLevels(), "a=1")
	b.expireLeases()
	b.claim(within(hours(0, 1)))
	if _, err := b.Commit(context.WithoutCancel(b.t.Context()), batch); err == nil {
		b.t.Error("committed under a lease that was lost")
	}
	equal(b, "agents", b.agentLevels(), "a=1")
	equal(b, "calls", b.agents(), "")
}
