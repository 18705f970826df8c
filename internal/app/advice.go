package app

import (
	"errors"
	"fmt"
	"strings"

	"samespace-exporter/internal/config"
	"samespace-exporter/internal/export"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
)

// fewKeyCharacters is how many characters a key has at least that is whole: one that is shorter was probably cut, or is a
// placeholder. The documentation does not say how long keys are.
const fewKeyCharacters = 8

// shortKey warns of a key that can hardly be one; "": it may be.
func shortKey(key string) string {
	if len(key) >= fewKeyCharacters {
		return ""
	}
	return "source.api_key is very short: check that it is the whole key, and that the variable or file that it comes from is the right one"
}

// place is where the config says what a dataset is in the API.
func (a *App) place(d export.Dataset) string {
	for i, r := range a.config.Reports {
		if r.Name == d.Name {
			return fmt.Sprintf("reports[%d].report_id (%s)", i, r.ReportID)
		}
	}
	for i, in := range a.config.Insights {
		if in.Name == d.Name {
			return fmt.Sprintf("insights[%d].insight_id (%s) and its dashboard_id (%s)", i, in.InsightID, in.DashboardID)
		}
	}
	for i, b := range a.config.Dashboards {
		if b.Name == d.Name {
			return fmt.Sprintf("dashboards[%d].dashboard_id (%s)", i, b.DashboardID)
		}
	}
	return d.Name
}

// withPlace adds to a reply that is no rows where the config says what was asked for: how the API answers to an id that it does
// not know is not documented.
func (a *App) withPlace(d export.Dataset, err error) error {
	var request *source.Error
	if !errors.As(err, &request) {
		return err
	}
	switch request.Class {
	case source.Errored, source.Refused, source.Malformed:
		return fmt.Errorf("%w; check %s, and that the key may read it", err, a.place(d))
	}
	return err
}

// unseen are the fields of a dataset that no row of a sample has, but for those that are not wanted.
func (a *App) unseen(d export.Dataset, sample []string) (fields []config.Field) {
	ids := idsOf(sample)
	for _, f := range a.fields(d.Name) {
		if !f.Drop && !ids[f.ID] && len(sample) > 0 {
			fields = append(fields, f)
		}
	}
	return fields
}

// unseenText warns of ids that the sample does not have: mistyped ones look like that, and so do values that are rare.
func (a *App) unseenText(d export.Dataset, sample []string) string {
	var named []string
	for _, f := range a.unseen(d, sample) {
		named = append(named, fmt.Sprintf("%s (%s)", f.Name, f.ID))
	}
	if len(named) == 0 {
		return ""
	}
	text := fmt.Sprintf("not seen in the sample of %s: %s; if such values are not just rare, check the ids under fields",
		plural(len(sample), "row", "rows"), strings.Join(named, ", "))
	if d.Kind == sink.KindReport {
		text += ": exporter discover --report " + d.Query.Report + " shows those that there are"
	}
	return text
}
