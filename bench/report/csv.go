package report

import (
	"encoding/csv"
	"io"
	"strconv"

	"sampan/bench"
)

// WriteCSV writes one line for each metric of each round, and the medians as
// round 0.
func (r *Report) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	out.Write([]string{"scenario", "target", "round", "metric", "unit", "value"})
	for _, result := range r.Results {
		line := func(round int, m bench.Metric, v float64) {
			out.Write([]string{result.Scenario.Name, result.Target, strconv.Itoa(round), m.Name, m.Unit, number(v)})
		}
		for _, f := range result.Summary {
			line(0, f.Metric, f.Median)
		}
		for i := range result.Rounds {
			for _, v := range result.Rounds[i].Metrics(&result.Scenario) {
				line(i+1, v.Metric, v.Value)
			}
		}
	}
	out.Flush()
	return out.Error()
}

// WriteSeriesCSV writes one line for each point of each round's series.
func (r *Report) WriteSeriesCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	out.Write([]string{"scenario", "target", "round", "at_seconds", "phase", "online", "sent_per_second", "delivered_per_second",
		"connects_per_second", "p50_us", "p99_us", "broker_processors", "broker_rss_bytes", "missing", "backlog"})
	for _, result := range r.Results {
		for i := range result.Rounds {
			for _, p := range result.Rounds[i].Series {
				out.Write([]string{result.Scenario.Name, result.Target, strconv.Itoa(i + 1), number(p.At), p.Phase,
					strconv.FormatInt(p.Online, 10), number(p.Sent), number(p.Delivered), number(p.Connects),
					number(p.P50), number(p.P99), number(p.CPU), strconv.FormatUint(p.RSS, 10),
					strconv.FormatInt(p.Missing, 10), strconv.FormatUint(p.Backlog, 10)})
			}
		}
	}
	out.Flush()
	return out.Error()
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', 7, 64) }
