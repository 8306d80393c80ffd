// Package blackbox holds to its word what an operator relies on, with real processes and nothing but what they show
// outside: exit codes, output, log lines, ports, files, and memory as the kernel counts it.
//
// What is tested: who is elected, and how that is shown; orderly and disorderly ends; whose data directory a server
// works on; damaged files; clients that misbehave beside one that does not; defaults and faults of the configuration;
// the script that starts an ensemble on one machine; and what is in deploy: scripts, unit, variables of a container, and
// servers that run as the pods of a cluster do.
//
// It leaves to package harness how servers are set up, to tests/fault what happens under faults and load together, and
// to the packages' own tests the cases in detail: here each kind of event has a case or two that go all the way through.
//
// Environment: that of package harness. Figures that a test measures and bounds are in its log (go test -v). Tests that
// measure memory or latency run alone; the others beside each other, since they mostly wait. -short leaves all out.
package blackbox
