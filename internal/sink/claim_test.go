package sink_test

import (
	"testing"
	"time"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

func TestPlanned(t *testing.T) {
	hours := func(from, to int) window.Window {
		at := func(hour int) time.Time { return time.Date(2026, 3, 2, hour, 0, 0, 0, time.UTC) }
		return window.Window{Start: at(from), End: at(to)}
	}
	none := window.Window{}
	for name, c := range map[string]struct {
		planned, within, all window.Window
		grown                bool
	}{
		"the first":                {none, hours(2, 4), hours(2, 4), true},
		"nothing":                  {none, none, none, false},
		"nothing more":             {hours(2, 4), none, hours(2, 4), false},
		"the same":                 {hours(2, 4), hours(2, 4), hours(2, 4), false},
		"a part":                   {hours(2, 6), hours(3, 4), hours(2, 6), false},
		"on from the end":          {hours(2, 4), hours(4, 5), hours(2, 5), true},
		"since moved to earlier":   {hours(2, 4), hours(1, 3), hours(1, 4), true},
		"around":                   {hours(2, 4), hours(1, 5), hours(1, 5), true},
		"apart and shorter":        {hours(2, 4), hours(6, 7), hours(2, 4), false},
		"apart and longer":         {hours(2, 4), hours(6, 12), hours(6, 12), true},
		"apart, before and longer": {hours(12, 13), hours(6, 9), hours(6, 9), true},
	} {
		all, grown := sink.Planned(c.planned, c.within)
		if all != c.all || grown != c.grown {
			t.Errorf("%s: %s, %v, want %s, %v", name, all, grown, c.all, c.grown)
		}
	}
}
