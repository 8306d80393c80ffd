package bench

import "time"

// Results is what a file of results holds, and what the report is made of.
type Results struct {
	Environment Environment `json:"environment"`
	Runs        []Run       `json:"runs,omitempty"`
	Figures     []Figure    `json:"figures,omitempty"`
}

// Environment is where and how the figures came about.
type Environment struct {
	Started  time.Time `json:"started"`
	CPU      string    `json:"cpu"`    // model name
	Cores    int       `json:"cores"`  // processors this process may use
	Memory   int64     `json:"memory"` // bytes
	OS       string    `json:"os"`     // system and kernel release
	Versions []string  `json:"versions,omitempty"`
	Commands []string  `json:"commands,omitempty"` // that show the same again
}

// Run is one measurement under load.
type Run struct {
	// Scenario names what was measured, equal for all labels that are compared:
	// "three servers: set 128 x 1". Empty: made from the workload.
	Scenario string `json:"scenario,omitempty"`
	// Group is the heading that the scenario stands under: "Three servers".
	Group string `json:"group,omitempty"`
	// Label names the server that was measured: "Zooraft", "ZooKeeper 3.9.5".
	Label string `json:"label,omitempty"`
	// Target is what is wanted of the first label's medians over the baseline's,
	// as type Target writes it: "throughput ≥ 2.5, CPU ≤ 0.35, p99 ≤ 0.5".
	Target string `json:"target,omitempty"`

	Workload Workload  `json:"workload"`
	Servers  []string  `json:"servers"`
	Started  time.Time `json:"started"` // of the measurement, after the warm-up
	Seconds  float64   `json:"seconds"` // of the measurement

	Operations int64            `json:"operations"`
	Throughput float64          `json:"throughput"` // operations per second
	Errors     map[string]int64 `json:"errors,omitempty"`
	Latency    Latency          `json:"latency"`
	// ByOperation splits Latency where a workload has more than one kind.
	ByOperation map[string]Latency `json:"byOperation,omitempty"`

	Intervals []Interval `json:"intervals,omitempty"`
	Marks     []Mark     `json:"marks,omitempty"`
	Processes []Process  `json:"processes,omitempty"`
	// Client is the generator's own processor time in seconds.
	ClientCPU float64 `json:"clientCPU"`
}

// Workload is what a run did.
type Workload struct {
	Name        string  `json:"name"`
	Connections int     `json:"connections"`
	Window      int     `json:"window"`          // requests under way per connection
	Size        int     `json:"size"`            // bytes of a value
	Keys        int     `json:"keys"`            // znodes that requests choose from
	Hot         float64 `json:"hot,omitempty"`   // skew of the choice; 0 is uniform
	ReadShare   float64 `json:"readShare"`       // mixed: part of requests that read
	Batch       int     `json:"batch,omitempty"` // multi: operations in one
	Watches     int     `json:"watches,omitempty"`
	Children    int     `json:"children,omitempty"` // children: of each znode
	Rate        float64 `json:"rate,omitempty"`     // requests per second; 0 is a closed loop
}

// Latency is a distribution of times in microseconds.
type Latency struct {
	Count int64   `json:"count"`
	Mean  float64 `json:"mean"`
	Min   int64   `json:"min"`
	P50   int64   `json:"p50"`
	P90   int64   `json:"p90"`
	P99   int64   `json:"p99"`
	P999  int64   `json:"p999"`
	Max   int64   `json:"max"`
	// Histogram is all of it in HdrHistogram's compressed V2 encoding, base64.
	Histogram string `json:"histogram,omitempty"`
}

// Interval is a slice of a run, a second long unless the run asks for another.
type Interval struct {
	At         float64 `json:"at"` // seconds since the run's start, of its end
	Seconds    float64 `json:"seconds"`
	Operations int64   `json:"operations"`
	Errors     int64   `json:"errors,omitempty"`
	P50        int64   `json:"p50"` // µs
	P99        int64   `json:"p99"`
	Max        int64   `json:"max"`
}

// Mark is something that was done to the servers during a run.
type Mark struct {
	At   float64 `json:"at"` // seconds since the run's start
	Text string  `json:"text"`
}

// Process is what a server process took during a run.
type Process struct {
	PID  int     `json:"pid"`
	Name string  `json:"name"`
	CPU  float64 `json:"cpu"`     // seconds, user and system
	RSS  int64   `json:"rss"`     // bytes resident at the end
	Peak int64   `json:"peakRSS"` // most bytes ever resident
	// StartRSS is what was resident before the run's connections were opened.
	StartRSS int64 `json:"startRSS,omitempty"`
}

// Figure is a single number that was measured without a run: a start time, a
// memory size, a pause.
type Figure struct {
	Group  string  `json:"group"`
	Name   string  `json:"name"` // equal for all labels that are compared
	Label  string  `json:"label"`
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"`             // "ms", "MiB", "bytes"
	Target string  `json:"target,omitempty"` // what is wanted of the first label's: "ratio ≤ 0.4, < 50 ms"
}
