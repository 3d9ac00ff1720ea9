//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// run is one side's turn.
type run struct {
	Measure     string  `json:"measure"`
	Side        string  `json:"side"`
	Pair        int     `json:"pair"`
	Units       float64 `json:"units"` // GiB or requests
	Seconds     float64 `json:"seconds"`
	CPU         float64 `json:"cpu_seconds"`           // of the server
	Connections int     `json:"connections,omitempty"` // that carried something, where they were counted
	Temp        int64   `json:"temp_bytes,omitempty"`  // the most that was seen in temporary files
	Memory      int64   `json:"rss_bytes,omitempty"`   // the most that was resident
}

func (r run) rate() float64 { return r.Units / r.Seconds }
func (r run) cost() float64 { return r.CPU / r.Units }

// row is one comparison. Ratio is the median of the pairs' ratios.
type row struct {
	Measure string  `json:"measure"`
	What    string  `json:"what"`
	Ours    float64 `json:"ours"`   // median
	Theirs  float64 `json:"theirs"` // median
	Ratio   float64 `json:"ratio"`
	Target  string  `json:"target,omitempty"`
	Reached *bool   `json:"reached,omitempty"`
}

func (r row) atLeast(x float64) row { return r.aim(fmt.Sprintf("≥ %.2f", x), r.Ratio >= x) }
func (r row) atMost(x float64) row  { return r.aim(fmt.Sprintf("≤ %.2f", x), r.Ratio <= x) }

func (r row) aim(target string, reached bool) row {
	r.Target, r.Reached = target, &reached
	return r
}

// of returns the run of a side in a pair; there is exactly one.
func of(runs []run, side string, pair int) run {
	i := slices.IndexFunc(runs, func(r run) bool { return r.Side == side && r.Pair == pair })
	return runs[i]
}

// compare holds one side against another, pair by pair.
func compare(measure, what string, runs []run, ours, theirs string, value func(run) float64) row {
	var base []float64
	for _, r := range runs {
		if r.Side == theirs {
			base = append(base, value(of(runs, theirs, len(base))))
		}
	}
	return against(measure, what, runs, ours, base, value)
}

// against holds one side against a figure for each pair.
func against(measure, what string, runs []run, ours string, base []float64, value func(run) float64) row {
	var mine, ratios []float64
	for pair, b := range base {
		v := value(of(runs, ours, pair))
		mine = append(mine, v)
		ratios = append(ratios, v/b)
	}
	return row{Measure: measure, What: what, Ours: median(mine), Theirs: median(base), Ratio: median(ratios)}
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}

// report is all that was measured.
type report struct {
	Machine string `json:"machine"`
	Pairs   int    `json:"pairs"`
	Quick   bool   `json:"quick"`
	Rows    []row  `json:"rows"`
	Runs    []run  `json:"runs"`
}

func (r *report) add(measure string, runs []run) {
	for _, one := range runs {
		one.Measure = measure
		r.Runs = append(r.Runs, one)
	}
}

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s; medians of %d\n", r.Machine, r.Pairs)
	if r.Quick {
		fmt.Fprintln(w, "a quick run: it shows that it works, its figures say little")
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\twhat\tmuleteer\tother\tratio\ttarget\t")
	for _, o := range r.Rows {
		reached := ""
		switch {
		case o.Reached == nil:
		case *o.Reached:
			reached = "reached"
		default:
			reached = "missed"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%.2f\t%s\t%s\n", o.Measure, o.What, short(o.Ours), short(o.Theirs), o.Ratio, o.Target, reached)
	}
	t.Flush()
}

// short writes a figure with three digits that count.
func short(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.3f", v)
}
