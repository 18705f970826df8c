package app

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"samespace-exporter/internal/export"
)

// Verification is what a verification of a dataset found.
type Verification struct {
	Dataset  string `json:"dataset"`
	Equal    bool   `json:"equal"`   // by now: after a repair, where there was one
	Windows  int    `json:"windows"` // that were compared
	Rows     int    `json:"rows"`    // that the API has of them
	Rejected int    `json:"rejected"`
	Requests int    `json:"requests"`
	NotRead  int    `json:"windows_not_read"` // not read to their end yet, so not compared
	// Differing are the windows that differ; Left, where they were repaired, those that still do.
	Differing []Difference     `json:"differing"`
	Repaired  bool             `json:"repaired"`
	Left      []Difference     `json:"left,omitempty"`
	Failed    []FailedToVerify `json:"failed,omitempty"`
	// NotCompared is why the dataset can never be compared; "": it was, and all else is of that.
	NotCompared string `json:"not_compared,omitempty"`
}

// Difference is how a window differs between the API and the warehouse.
type Difference struct {
	Start      time.Time      `json:"start"`
	End        time.Time      `json:"end"`
	NextReadAt *time.Time     `json:"next_read_at"` // when it is to be read again anyway; null: never
	Missing    int            `json:"missing"`      // rows that the warehouse lacks
	Extra      int            `json:"extra"`        // rows that the API does not have
	Different  int            `json:"different"`    // rows with other values
	Columns    map[string]int `json:"columns"`      // how many of these differ in a column
	Examples   []Example      `json:"examples"`     // a few of each kind
}

// Example is a row that differs.
type Example struct {
	Kind    string   `json:"kind"` // missing, extra or different
	Key     string   `json:"key"`
	Columns []string `json:"columns,omitempty"`
}

// FailedToVerify is a stretch of time that could not be compared, and why.
type FailedToVerify struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	Error string    `json:"error"`
}

// DifferencesError says that the API and the warehouse differ.
type DifferencesError struct {
	Windows  int
	Repaired bool // they were read again, and still differ
	// ExtraOnly is set when all that differs are rows that the API does not have.
	ExtraOnly bool
}

func (e *DifferencesError) Error() string {
	windows := plural(e.Windows, "window differs", "windows differ")
	switch {
	case e.Repaired && e.ExtraOnly:
		return windows + " by rows that the API does not have: they stay, unless the report has deleted: mark"
	case e.Repaired:
		return windows + " after it was read again: verify once more"
	}
	return windows + "; --repair reads what differs again"
}

// NotComparedError says that all that was compared is equal, but that some of the range could not be.
type NotComparedError struct{ Windows int }

func (e *NotComparedError) Error() string {
	return fmt.Sprintf("%s not read yet, and so not compared: exporter run --backfill reads what is missing", plural(e.Windows, "window of the range is", "windows of the range are"))
}

// plural is a count with the words for it.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Verify reads a range of the named datasets (none: all) again and compares it with the warehouse. See export.Verify.
// What was found is in the order of the config, and after that the datasets that can never be compared: nobody asked for these by
// name, and they are no error. The error joins a *DifferencesError for each dataset that differs, what
// could not be compared, and why it could not go on; or is ErrInterrupted.
func (a *App) Verify(ctx context.Context, names []string, r Range, repair bool) ([]Verification, error) {
	chosen, err := a.choose(names)
	if err != nil {
		return nil, err
	}
	var others []Verification
	if len(names) == 0 && slices.ContainsFunc(chosen, verifiable) { // who names one that is not is told so
		chosen, others = verifiableOf(chosen)
	}
	found, err := atOnce(ctx, a, chosen, func(hard context.Context, e *export.Exporter) (Verification, error) {
		from, to := r.in(e.Dataset.Grid.Location())
		v, err := e.Verify(hard, export.VerifyRange{From: from, To: to, Repair: repair, Stop: ctx.Done()})
		return verificationOf(v), cmp.Or(err, unequal(v))
	})
	found = append(found, others...)
	if ctx.Err() != nil {
		return found, ErrInterrupted
	}
	return found, err
}

// verifiable reports whether a dataset can be verified at all.
func verifiable(e *export.Exporter) bool { return e.Dataset.Incomparable() == "" }

// verifiableOf are the datasets that can be verified, and what is to be said of the others.
func verifiableOf(all []*export.Exporter) (chosen []*export.Exporter, others []Verification) {
	for _, e := range all {
		if why := e.Dataset.Incomparable(); why != "" {
			others = append(others, Verification{Dataset: e.Dataset.Name, Differing: []Difference{}, NotCompared: why})
			continue
		}
		chosen = append(chosen, e)
	}
	return chosen, others
}

// unequal says what a verification that came to its end found.
func unequal(v export.Verification) error {
	left := v.Differing
	if v.Repaired {
		left = v.Left
	}
	switch {
	case len(v.Failed) > 0:
		return &export.FailedError{Dataset: v.Dataset, Failed: v.Failed}
	case len(left) == 0 && v.Unread > 0:
		return &NotComparedError{Windows: v.Unread}
	case len(left) > 0:
		return &DifferencesError{Windows: len(left), Repaired: v.Repaired, ExtraOnly: !slices.ContainsFunc(left, func(d export.Difference) bool {
			return d.Missing+d.Different > 0
		})}
	}
	return nil
}

func verificationOf(v export.Verification) Verification {
	of := Verification{
		Dataset: v.Dataset, Equal: v.Equal(), Windows: v.Windows, Rows: v.Rows, Rejected: v.Rejected, Requests: v.Requests,
		NotRead: v.Unread, Differing: differencesOf(v.Differing), Repaired: v.Repaired,
	}
	if v.Repaired {
		of.Left = differencesOf(v.Left)
	}
	for _, f := range v.Failed {
		of.Failed = append(of.Failed, FailedToVerify{Start: f.Span.Start, End: f.Span.End, Error: f.Err.Error()})
	}
	return of
}

func differencesOf(all []export.Difference) []Difference {
	of := []Difference{}
	for _, d := range all {
		one := Difference{
			Start: d.Window.Start, End: d.Window.End, Missing: d.Missing, Extra: d.Extra, Different: d.Different, Columns: d.Columns,
		}
		if !d.NextReadAt.IsZero() {
			one.NextReadAt = &d.NextReadAt
		}
		for _, e := range d.Examples {
			one.Examples = append(one.Examples, Example(e))
		}
		of = append(of, one)
	}
	return of
}
