// Package report shows results of package bench: as a table on a terminal, as
// JSON and CSV for programs, as .hgrm files for the HdrHistogram tools, and as
// one self-contained page with plots for a person. [Progress] shows a run that
// is under way.
//
// A [Report] is what all writers take: the results of any number of scenarios
// and targets.
//
//	r := report.Report{Results: []*bench.Result{result}}
//	err := r.WriteTable(os.Stdout)
//	err = r.WriteHTML(file)
package report
