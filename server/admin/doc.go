// Package admin answers what operators ask a server: the four-letter words of the
// client port, the commands of the admin server, the probes and the page of metrics.
//
// All figures are rendered from one Status. What the commands change or take out
// (statistics, the level of the log, snapshots and restores) is done by the server
// that it is given; it owns nothing but its listeners (Page). The formats are those of
// Apache ZooKeeper 3.9 (ZooKeeper Administrator's Guide, "ZooKeeper Commands"), byte
// for byte where monitoring parses them.
package admin
