// Package hist holds latencies in a log-linear histogram: every value keeps
// its ten leading bits, so a quantile is right to one part in 1,024 from one
// nanosecond to two hours, at any count and without losing the tail.
//
// A Histogram is filled by one goroutine at a time. Generators fill one each
// and merge them at the end, which gives exactly the histogram that a single
// generator would have filled:
//
//	total := hist.New()
//	for _, h := range parts {
//		total.Merge(h)
//	}
//	p99 := total.Quantile(0.99)
//
// [Histogram.WriteHgrm] writes the percentile distribution in the text form
// that the HdrHistogram plotting tools read.
package hist
