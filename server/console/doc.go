// Package console serves the web console: a page that shows the znodes, the
// ensemble and its clients to somebody who has signed in as the super user or
// with a token, and an API, JSON below /ui/api/, that the page is made of.
//
// Who signs in has the super user's rights, so who may come near is looked at
// first: peers of this host alone unless the configuration says otherwise; a Host
// header that names this server, against pages that have made their own name mean
// it; a cookie that scripts cannot read and other sites' requests do not carry;
// no unsafe request of another origin. Nothing that comes from a znode is ever
// markup here: the API answers JSON, and the page may run no script, and load
// nothing, but its own.
//
// Reads are answered from the state of this server, in short steps under its lock
// however many children a znode has. Writes go through the log like a client's and
// are refused where those would be; they are of no session, so no ephemeral can be
// made. What changes is told by the watch table, as to a client with a recursive
// watch.
//
// It leaves to others what the server and the ensemble are doing (Source), and
// knows neither Raft nor client connections.
//
// Invariants:
//   - A stream that is read slowly costs no more than its queue, and then loses
//     events, and is told so (resync).
//   - No hold of the state lock is longer than a step takes, some hundred
//     microseconds.
//   - Everything that grows with what peers do is bounded: sessions, guesses
//     remembered, streams, lists of children, writes under way.
package console
