package window_test

import (
	"testing"
	"time"

	"samespace-exporter/internal/window"
)

// A stretch, however it is cut: the pieces join, none is empty, and nothing before, between or behind them is lost.
func FuzzCutAndHalve(f *testing.F) {
	f.Add(int64(3600), int64(1688510363), int64(86400), "Asia/Kolkata")
	f.Add(int64(86400), int64(1541300000), int64(864000), "America/Sao_Paulo")
	f.Add(int64(604800), int64(-1), int64(1), "Pacific/Apia")
	f.Fuzz(func(t *testing.T, size, from, length int64, zone string) {
		l, err := time.LoadLocation(zone)
		if err != nil || from < -1e10 || from > 1e10 || length < 1 || length > 1e8 || size < 1 || length/size > 10_000 {
			return
		}
		g, err := window.NewGrid(time.Duration(size)*time.Second, l)
		if err != nil {
			return
		}
		stretch := window.Window{Start: time.Unix(from, 0), End: time.Unix(from+length, 0)}
		pieces := g.Cut(stretch)
		mustJoin(t, stretch, pieces)
		if gaps := window.Gaps(stretch, pieces); len(gaps) != 0 {
			t.Fatalf("%v has gaps %v", pieces, gaps)
		}
		if without := append(pieces[:len(pieces)/2:len(pieces)/2], pieces[len(pieces)/2+1:]...); len(window.Gaps(stretch, without)) != 1 {
			t.Fatalf("without a piece of it, %v has gaps %v", stretch, window.Gaps(stretch, without))
		}
		first, second, ok := stretch.Halve()
		if ok != (stretch.Duration() > time.Second) {
			t.Fatalf("%s halves: %v", stretch, ok)
		}
		if ok {
			mustJoin(t, stretch, []window.Window{first, second})
		}
	})
}

func mustJoin(t *testing.T, whole window.Window, pieces []window.Window) {
	t.Helper()
	at := whole.Start
	for _, p := range pieces {
		if !p.Start.Equal(at) || p.Empty() {
			t.Fatalf("%s became %v", whole, pieces)
		}
		at = p.End
	}
	if !at.Equal(whole.End) {
		t.Fatalf("%s became %v", whole, pieces)
	}
}

// However the delays are ordered and whenever a window was read, the reads come to an end, once for each delay at most.
func FuzzReread(f *testing.F) {
	f.Add(int64(900), int64(3600), int64(86400), int64(10))
	f.Add(int64(0), int64(-5), int64(0), int64(-100))
	f.Fuzz(func(t *testing.T, a, b, c, late int64) {
		const most = 1e9
		for _, n := range []int64{a, b, c, late} {
			if n > most || n < -most {
				return
			}
		}
		end := time.Unix(1_700_000_000, 0)
		delays := window.Reread{time.Duration(a) * time.Second, time.Duration(b) * time.Second, time.Duration(c) * time.Second}
		readAt, reads := end.Add(time.Duration(late)*time.Second), 0
		for {
			next, ok := delays.Next(end, readAt)
			if !ok {
				break
			}
			if reads++; !next.After(readAt) || reads > len(delays) {
				t.Fatalf("read at %s, next at %s; %d reads", readAt, next, reads)
			}
			readAt = next
		}
		for _, d := range delays {
			if readAt.Before(end.Add(d)) {
				t.Fatalf("the last read, at %s, is before the delay %s", readAt, d)
			}
		}
	})
}
