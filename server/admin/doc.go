// Package admin renders what operators ask a server: the four-letter words of
// the client port, all from one Status.
//
// It changes nothing, listens nowhere and asks nobody but its StatusSource. The
// formats are those of Apache ZooKeeper 3.9 (ZooKeeper Administrator's Guide,
// "ZooKeeper Commands"), byte for byte where monitoring parses them.
package admin
