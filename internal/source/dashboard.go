package source

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

// Dashboard is a dashboard's own description, as GetDashboard.graphql asks for it. Texts are "", pointers nil and
// JSON empty where the API sends null or nothing.
type Dashboard struct {
	ID         string     `json:"id"`
	IsOwner    *bool      `json:"isOwner"`
	Owner      Owner      `json:"owner"`
	Permission Permission `json:"permission"`
	// TimeRange is what its insights show unless they say otherwise, as a TimeRange enum value; StartTime and
	// EndTime are those of a fixed range, in whatever form the API writes a Date.
	TimeRange string             `json:"timeRange"`
	StartTime JSON               `json:"startTime"`
	EndTime   JSON               `json:"endTime"`
	Timezone  string             `json:"timezone"`
	Layouts   Layouts            `json:"layouts"`
	Insights  []DashboardInsight `json:"insights"` // in the API's order
}

// Owner is whose dashboard it is.
type Owner struct {
	Name string `json:"name"`
}

// Permission is who may do what with a dashboard.
type Permission struct {
	AccessLevel     string `json:"accessLevel"`
	PermissionLevel string `json:"permissionLevel"`
	UserPermission  string `json:"userPermission"`
}

// Layouts are where insights stand, by the width of the screen.
type Layouts struct {
	LG  []Layout `json:"lg"`
	MD  []Layout `json:"md"`
	SM  []Layout `json:"sm"`
	XS  []Layout `json:"xs"`
	XXS []Layout `json:"xxs"`
}

// Layout is where an insight stands on a grid.
type Layout struct {
	Insight string `json:"i"`
	Place   JSON   `json:"-"` // the layout as the API sent it
}

// DashboardInsight is an insight as its dashboard describes it.
type DashboardInsight struct {
	ID        string            `json:"id"`
	Title     string            `json:"title"`
	TimeRange string            `json:"timeRange"`
	Timezone  string            `json:"timezone"`
	Template  Template          `json:"template"`
	Bounds    Bounds            `json:"bounds"`
	Filters   []DashboardFilter `json:"filters"`
}

// Template is how an insight is shown.
type Template struct {
	ID          string      `json:"id"`
	Type        string      `json:"type"` // STAT and others
	DatasetID   string      `json:"datasetId"`
	Beta        *bool       `json:"beta"`
	Preferences Preferences `json:"preferences"`
}

// Preferences are what a template is told, by the fragment that its Type names. Fields of other fragments are zero.
// An undocumented fragment has its Type and Text only.
type Preferences struct {
	Type   string  `json:"__typename"`
	Colors *Colors `json:"colors"`
	// StatTemplatePreference.
	ValueFormat string `json:"valueFormat"`
	TrendType   string `json:"trendType"`
	// TableTemplatePreference.
	Columns   JSON   `json:"columns"` // also of HorizontalBarTemplatePreference
	RowLinkTo string `json:"rowLinkTo"`
	SortID    string `json:"sortId"`
	SortOrder *int64 `json:"sortOrder"`
	// LineAreaBarTemplatePreference.
	ViewByType    string `json:"viewByType"`
	ViewBySubType string `json:"viewBySubType"`
	// PieDonutTemplatePreference.
	PieTooltipFormat   string `json:"pieTooltipFormat"`
	PieDatalabelFormat string `json:"pieDatalabelFormat"`
	DrillUpText        string `json:"drillUpText"`
	AggregationSubType string `json:"aggregationSubType"`
	ShowAbsoluteValues *bool  `json:"showAbsoluteValues"`
	// HorizontalBarTemplatePreference.
	BarMaxValue   json.Number `json:"barMaxValue"`
	BarValueField string      `json:"barValueField"`

	Text JSON `json:"-"` // all of it as the API sent it
}

// Colors are the colours of a template.
type Colors struct {
	Theme  string   `json:"theme"`
	Values []string `json:"values"`
}

// Bounds are where an insight stands where no layout says so.
type Bounds struct {
	X *int64 `json:"x"`
	Y *int64 `json:"y"`
	W *int64 `json:"w"`
	H *int64 `json:"h"`
}

// DashboardFilter narrows what an insight shows. Its Title is the only place where the API names a metric.
type DashboardFilter struct {
	MetricID  string `json:"metricId"`
	Title     string `json:"title"`
	Type      string `json:"type"` // ATTRIBUTE or MEASURE
	Operation string `json:"operation"`
	Values    JSON   `json:"values"` // of an ATTRIBUTE
	Value     JSON   `json:"value"`  // of a MEASURE
}

// JSON is a value as the API wrote it, without white space; "" for null and for none.
type JSON string

// UnmarshalJSON keeps the text.
func (j *JSON) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*j = ""
		return nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return err
	}
	*j = JSON(compact.String())
	return nil
}

// MarshalJSON is the text as it came; null for "".
func (j JSON) MarshalJSON() ([]byte, error) {
	if j == "" {
		return []byte("null"), nil
	}
	return []byte(j), nil
}

// UnmarshalJSON reads what is documented, and keeps the rest.
func (l *Layout) UnmarshalJSON(text []byte) error {
	type documented Layout
	if err := json.Unmarshal(text, (*documented)(l)); err != nil {
		return err
	}
	return l.Place.UnmarshalJSON(text)
}

// MarshalJSON is the layout as it came.
func (l Layout) MarshalJSON() ([]byte, error) { return l.Place.MarshalJSON() }

// UnmarshalJSON reads what is documented, and keeps the rest.
func (p *Preferences) UnmarshalJSON(text []byte) error {
	type documented Preferences
	if err := json.Unmarshal(text, (*documented)(p)); err != nil {
		// A fragment that is not documented may give a documented name another type: its text says it all.
		var other struct {
			Type string `json:"__typename"`
		}
		if json.Unmarshal(text, &other) != nil {
			return err
		}
		*p = Preferences{Type: other.Type}
	}
	return p.Text.UnmarshalJSON(text)
}

// MarshalJSON is the preferences as they came.
func (p Preferences) MarshalJSON() ([]byte, error) { return p.Text.MarshalJSON() }

// Titled is what a dashboard calls a metric.
type Titled struct{ MetricID, Title string }

// Titles are what the dashboard's filters and columns call the metrics, in its order; one comes as often as it is said.
func (d Dashboard) Titles() (all []Titled) {
	for _, insight := range d.Insights {
		for _, f := range insight.Filters {
			all = append(all, Titled{f.MetricID, f.Title})
		}
		all = append(all, titledColumns(insight.Template.Preferences.Columns)...)
	}
	return slices.DeleteFunc(all, func(t Titled) bool { return t.MetricID == "" || t.Title == "" })
}

// titledColumns are the columns of a template that have a title. That columns may have one is not documented: those that
// do not are left out.
func titledColumns(text JSON) (titled []Titled) {
	var all []json.RawMessage
	if json.Unmarshal([]byte(text), &all) != nil {
		return nil
	}
	for _, one := range all {
		var c struct{ MetricID, ID, Title string }
		if json.Unmarshal(one, &c) == nil {
			titled = append(titled, Titled{cmp.Or(c.MetricID, c.ID), c.Title})
		}
	}
	return titled
}

// UnknownDashboardError says that the API has no dashboard of that id, or hides it from this key.
type UnknownDashboardError struct{ ID string }

func (e *UnknownDashboardError) Error() string {
	return fmt.Sprintf("the API has no dashboard %s: check dashboard_id, and that the key may read it", e.ID)
}

// decodeDashboard reads the value of data.dashboard.
func decodeDashboard(id string, text []byte) (Dashboard, error) {
	if string(text) == "null" {
		return Dashboard{}, &UnknownDashboardError{ID: id}
	}
	var d Dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		return Dashboard{}, fmt.Errorf("read the dashboard: %w", err)
	}
	if d.ID != id {
		return Dashboard{}, fmt.Errorf("read the dashboard: the API sent %q, not the one that was asked for", d.ID)
	}
	return d, nil
}
