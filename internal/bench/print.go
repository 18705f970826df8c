package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
)

// results are the samples of each figure, a round each.
type results struct {
	rows    int
	figures []figure
	samples map[string][]sample
}

func newResults(rows int) *results { return &results{rows: rows, samples: map[string][]sample{}} }

func (r *results) add(f figure, s sample) {
	if r.samples[f.name] == nil {
		r.figures = append(r.figures, f)
	}
	r.samples[f.name] = append(r.samples[f.name], s)
}

// print shows the medians. Ratios are of times in the same round, and the median of these.
func (r *results) print(out io.Writer) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"figure", "s (spread)", "CPU us/row client + server", "WAL MB", "memory MB", "rows/s", "ratio", "target", "CPU ratio"})
	missed := 0
	for _, f := range r.figures {
		samples := r.samples[f.name]
		wall := func(s sample) float64 { return s.wall.Seconds() }
		perRow := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(r.rows) }
		line := table.Row{
			f.name,
			fmt.Sprintf("%.2f (%.2f to %.2f)", median(samples, wall), least(samples, wall), most(samples, wall)),
			fmt.Sprintf("%.2f + %.2f", median(samples, func(s sample) float64 { return perRow(s.client) }),
				median(samples, func(s sample) float64 { return perRow(s.server) })),
			fmt.Sprintf("%.1f", median(samples, func(s sample) float64 { return float64(s.wal) / 1e6 })),
			r.memory(samples),
			fmt.Sprintf("%.0f", float64(r.rows)/median(samples, wall)),
			"", "", "",
		}
		if limits := r.samples[f.limit]; len(limits) == len(samples) {
			ratio := medianRatio(samples, limits, wall)
			line[6] = fmt.Sprintf("%.2f", ratio)
			line[8] = fmt.Sprintf("%.2f", medianRatio(samples, limits, func(s sample) float64 { return (s.client + s.server).Seconds() }))
			if f.target > 0 {
				line[7] = fmt.Sprintf("<= %.2f", f.target)
				if ratio > f.target {
					line[7] = line[7].(string) + " missed"
					missed++
				}
			}
		}
		t.AppendRow(line)
	}
	_, err := fmt.Fprintf(out, "%s, %d rows, %d rounds, %s %s, %d CPUs%s\n%s\n",
		time.Now().UTC().Format(time.DateOnly), r.rows, len(r.samples[psqlCopy]), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), processor(), t.Render())
	for _, f := range r.figures {
		ours, theirs := r.samples[f.name], r.samples[comparisons()[f.name]]
		if err != nil || len(ours) != len(theirs) {
			continue
		}
		times, verdict := medianRatio(theirs, ours, func(s sample) float64 { return s.wall.Seconds() }), ""
		if times < asFast {
			verdict = ", missed"
			missed++
		}
		_, err = fmt.Fprintf(out, "%s: %.1f times as fast as the plain program (target: %d%s).\n", f.name, times, asFast, verdict)
	}
	if err == nil && missed > 0 {
		_, err = fmt.Fprintf(out, "%d targets missed.\n", missed)
	}
	return err
}

func (r *results) memory(samples []sample) string {
	peak := most(samples, func(s sample) float64 { return float64(s.peak) / 1e6 })
	if peak == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f", peak)
}

func median(samples []sample, of func(sample) float64) float64 { return middle(each(samples, of)) }

func medianRatio(samples, limits []sample, of func(sample) float64) float64 {
	ratios := each(samples, of)
	for i, limit := range each(limits, of) {
		ratios[i] /= limit
	}
	return middle(ratios)
}

func least(samples []sample, of func(sample) float64) float64 { return slices.Min(each(samples, of)) }

func most(samples []sample, of func(sample) float64) float64 { return slices.Max(each(samples, of)) }

func each(samples []sample, of func(sample) float64) []float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	return values
}

func middle(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	return (values[n/2] + values[(n-1)/2]) / 2
}

// processor is the CPU's name, where the system tells it.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return " (" + strings.TrimSpace(strings.TrimLeft(name, "\t: ")) + ")"
		}
	}
	return ""
}
