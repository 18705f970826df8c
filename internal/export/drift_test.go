package export

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

func TestApart(t *testing.T) {
	for _, c := range []struct {
		a, b, difference string
		share            float64
	}{
		{"0", "0", "0", 0},
		{"100", "100.00", "0", 0},
		{"99", "100", "-1", 0.01},
		{"100", "99", "1", 0.01},
		{"0", "7", "-7", 1},
		{"-3", "3", "-6", 2},
		{"0.1", "0.3", "-0.2", 2.0 / 3},
		{"9007199254740993", "9007199254740992", "1", 1.0 / 9007199254740993},
		{"12345678901234567890.10", "12345678901234567890", "0.1", 0.1 / 12345678901234567890.1},
	} {
		if difference, share := apart(c.a, c.b); difference != c.difference || share < c.share*0.999 || share > c.share*1.001 {
			t.Errorf("%s and %s are %s apart, a share of %g; want %s, %g", c.a, c.b, difference, share, c.difference, c.share)
		}
	}
	for text, want := range map[string]string{"4.0000": "4", "100": "100", "-0.00": "0", "0.50": "0.5", "-12.030": "-12.03"} {
		if got := plain(text); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
	if got := sum("0.1", "0.20"); got != "0.3" {
		t.Errorf("the sum is %s", got)
	}
}

func TestCovered(t *testing.T) {
	hour := func(h int) time.Time { return time.Date(2024, 5, 6, h, 0, 0, 0, time.UTC) }
	entry := func(from, to, readTo, readAt int) sink.Entry {
		return sink.Entry{Window: window.Window{Start: hour(from), End: hour(to)}, ReadTo: hour(readTo), ReadAt: hour(readAt)}
	}
	w := window.Window{Start: hour(4), End: hour(6)}
	for name, c := range map[string]struct {
		entries []sink.Entry
		oldest  int
		ok      bool
	}{
		"by nothing":            {nil, 0, false},
		"by itself":             {[]sink.Entry{entry(4, 6, 6, 9)}, 9, true},
		"by smaller ones":       {[]sink.Entry{entry(4, 5, 5, 9), entry(5, 6, 6, 8), entry(6, 7, 7, 1)}, 8, true},
		"by a larger one":       {[]sink.Entry{entry(0, 12, 12, 13)}, 13, true},
		"by one read in part":   {[]sink.Entry{entry(0, 12, 7, 8)}, 0, false},
		"by one and a gap":      {[]sink.Entry{entry(4, 5, 5, 9), entry(6, 7, 7, 9)}, 0, false},
		"by a gap and one":      {[]sink.Entry{entry(5, 6, 6, 9)}, 0, false},
		"by one, not to an end": {[]sink.Entry{entry(4, 5, 5, 9)}, 0, false},
	} {
		oldest, ok := covered(w, c.entries)
		if ok != c.ok || ok && !oldest.Equal(hour(c.oldest)) {
			t.Errorf("%s: %s, %t", name, oldest, ok)
		}
	}
}

// However numbers go to and fro, and whoever reads what in which order, a window is read again at most five times in the
// longest pause, and what agrees is never made due.
func TestRereadsAreBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &pair{definition: "d", Reconciliation: Reconciliation{MaxShare: 0.01}}
		now := time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC)
		f := sink.Reconciled{Warehouse: "100", API: "100", Definition: "d", ReadAt: now, InsightReadAt: now}
		var kept sink.Reconciled
		var marks []time.Time
		value := rapid.SampledFrom([]string{"100", "101", "103", "0"})
		for step := range 400 {
			now = now.Add(time.Duration(rapid.IntRange(1, 300).Draw(t, "minutes")) * time.Minute)
			if rapid.Bool().Draw(t, "report is read") {
				f.Warehouse, f.ReadAt = value.Draw(t, "warehouse"), now
			}
			if rapid.Bool().Draw(t, "insight is read") {
				f.API, f.InsightReadAt = value.Draw(t, "api"), now
			}
			kept = c.judge(f, kept, step > 0, now)
			if kept.State == sink.Agrees && !kept.AgainAt.IsZero() {
				t.Fatalf("it agrees, and is to be read again: %+v", kept)
			}
			if kept.AgainAt.IsZero() || kept.AgainAt.After(now) {
				continue
			}
			marked, _ := c.toReadAgain([]sink.Reconciled{kept}, 1, now)
			kept = marked[0]
			marks = append(marks, now)
		}
		longest := c.pauses()[len(c.pauses())-1]
		for i := 5; i < len(marks); i++ {
			if marks[i].Sub(marks[i-5]) < longest {
				t.Fatalf("six times from %s to %s", marks[i-5], marks[i])
			}
		}
	})
}

// A previous value has a window read again once, whatever comes of it.
func TestAPreviousValueMarksOnce(t *testing.T) {
	c := &pair{definition: "d", previous: true}
	at := func(hour int) time.Time { return time.Date(2024, 5, 6, hour, 0, 0, 0, time.UTC) }
	f := sink.Reconciled{Warehouse: "7", API: "9", Definition: "d", ReadAt: at(1), InsightReadAt: at(2)}
	kept := c.judge(f, sink.Reconciled{}, false, at(2))
	if kept.State != sink.Differs || !kept.AgainAt.Equal(at(2)) || !c.tells(kept, sink.Reconciled{}, false) {
		t.Fatalf("%+v", kept)
	}
	marked, _ := c.toReadAgain([]sink.Reconciled{kept}, 1, at(3))
	f.ReadAt, f.Warehouse = at(4), "8"
	stands := c.judge(f, marked[0], true, at(4))
	if stands.State != sink.Stands || !stands.AgainAt.IsZero() || stands.Rereads != 1 {
		t.Fatalf("%+v", stands)
	}
	f.InsightReadAt, f.API = at(5), "8"
	agrees := c.judge(f, stands, true, at(5))
	if agrees.State != sink.Agrees || !agrees.AgainAt.IsZero() {
		t.Fatalf("%+v", agrees)
	}
	f.ReadAt, f.Warehouse = at(6), "10" // which that previous value knows nothing of
	if c.tells(c.judge(f, agrees, true, at(6)), agrees, true) {
		t.Error("an older previous value tells of a newer value")
	}
	f.InsightReadAt, f.API = at(7), "11"
	if anew := c.judge(f, agrees, true, at(7)); anew.State != sink.Differs || !anew.AgainAt.Equal(at(7)) || anew.Rereads != 0 {
		t.Fatalf("%+v", anew)
	}
}

// What takes long is compared in small pieces, so that what is due does not wait for it.
func TestPiecesGoByTheirTime(t *testing.T) {
	c := &pair{piece: firstPiece}
	for range 20 {
		c.pace(time.Second)
	}
	if c.piece != reconcilePiece {
		t.Errorf("%d windows at most", c.piece)
	}
	for range 20 {
		c.pace(time.Minute)
	}
	if c.piece != 1 {
		t.Errorf("%d windows at least", c.piece)
	}
}
