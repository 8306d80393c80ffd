package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"zooraft/cmd/bench"
)

// TestSweeps wants charts over children and servers, and none that mixes what is
// told apart by the scenario's name alone.
func TestSweeps(t *testing.T) {
	var runs []bench.Run
	add := func(scenario string, servers int, w bench.Workload) {
		w.Name, w.Size = "get", 100
		r := simple(scenario, "A", 1000, 1, 1)
		r.Group, r.Workload, r.Latency, r.Servers = "Cost", w, bench.Latency{}, make([]string, servers)
		runs = append(runs, r)
	}
	for _, n := range []int{1, 1000} {
		add(fmt.Sprintf("get, %d children", n), 1, bench.Workload{Children: n})
		add(fmt.Sprintf("get, %d watches on one znode", n), 1, bench.Workload{Watches: n})
		add(fmt.Sprintf("get, %d watches on 64 znodes", n), 1, bench.Workload{Watches: n})
	}
	for _, n := range []int{3, 5, 7} {
		add(fmt.Sprintf("get 128 x 1, %d servers", n), n, bench.Workload{})
	}
	add("get 128 x 1, 3 servers and 2 observers", 5, bench.Workload{})
	_, doc := render(t, []bench.Results{{Runs: runs}}, Options{})
	var got []string
	for _, f := range all(doc, "figure") {
		if title := textOf(all(f, "h3")[0]); strings.HasPrefix(title, "Server CPU") {
			got = append(got, title+"; "+textOf(all(f, "p")[0]))
		} else if strings.HasPrefix(title, "Latency") {
			t.Errorf("%s: there are no latencies", title)
		}
		if strings.Contains(textOf(f), "whiskers") {
			t.Errorf("%s: takes something for repeated", textOf(f))
		}
	}
	want := []string{
		"Server CPU per operation over watches; get, … watches on one znode: get, 100 bytes",
		"Server CPU per operation over watches; get, … watches on 64 znodes: get, 100 bytes",
		"Server CPU per operation over children; get, … children: get, 100 bytes",
		"Server CPU per operation over servers; get 128 x 1, … servers: get, 100 bytes",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// What was not measured is not zero, in the table of every run neither.
	for _, table := range all(doc, "table") {
		for _, cell := range all(table, "td") {
			if text := textOf(cell); text == "0 µs" || text == "0 MiB" {
				t.Errorf("a zero that nobody measured: %s", textOf(table))
				break
			}
		}
	}
}
