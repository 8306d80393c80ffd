// Package differ plays the same frames to two servers and compares what comes back, frame by frame: a stock ZooKeeper
// says what is right, so a scenario holds only what is sent.
//
// A file of scenarios is text. Lines that begin with # and empty lines are ignored. Before the first scenario stands
// what the servers are to be:
//
//	size 3              servers of each ensemble (1: standalone)
//	observers 1         how many of them do not vote
//	tick 200            tickTime in ms; 200 if it is not said
//	line KEY=VALUE      a line of zoo.cfg
//	define KEY=VALUE    a property on the command line
//	tls                 a single server has a secureClientPort, too
//	login OPTIONS       clients log in by SASL, by a login file whose section Server has ZooKeeper's DigestLoginModule
//	                    with these options: user_bob="pw" ...
//
// A scenario begins with "== NAME". It works below a node of its own, which the runner makes and whose path is $ in
// the steps. Each further line is a step:
//
//	connect a [timeout=MS] [session=NAME|new] [id=N] [passwd=HEX|~] [zxid=Z] [ro=none|0|1] [server=N|leader|follower]
//	          [version=N] [cut=N] [extra=HEX] [queued] [bare] [tls=NAME|none]
//	                    opens connection a: with a new session, or with that of the last connection of the name, or of
//	                    another name. With queued a ping goes out behind the ConnectRequest before the response comes;
//	                    bare leaves out the handshake. With tls it goes to the port for TLS, with the certificate of
//	                    a client CN=NAME or without one
//	a OP ARGS...        sends a request on connection a and receives up to its reply
//	a+ OP ARGS...       keeps a request back, to go out in one write with the next step of a
//	a until NAME OP...  repeats a request until its error has that name, and keeps the last reply
//	a fence             syncs until the server of a knows of all that any connection has heard of
//	a frame HEX         sends a frame with any payload; a bytes HEX sends bytes that need not be a frame
//	                    (with reply=1, one that is answered)
//	drop a              cuts the connection; its session lives on
//	await a [N]         receives one frame, or N, that nobody asked for
//	closed a            receives up to the end of the connection
//	silent a OP...      sends a request and checks for a moment that nothing comes
//	expire a            cuts the connection and waits until its session has expired (it makes one ephemeral for that)
//	restart             restarts the servers; connections are gone, sessions are not
//	word WORD           sends a four-letter word
//
// A login is two steps: a sasl "" brings the server's challenge, and a digest USER PASSWORD answers it as DIGEST-MD5
// does, with what realm=, uri=, nc=, qop=, authzid=, charset= and nonce= say in place of what is right (~: left out). The
// server's nonce is compared by its length, and its last word by whether it is right.
//
// The operations have ZooKeeper's names, and op N HEX is any number with any body. Arguments are a path first, then
// what the operation takes: data ("text" as in Go, ~ for null, hex:00ff, fill:1000), watch, version=N, flags=N, ttl=N,
// acl=SCHEME:ID:PERMS,..., a mode or type as a number, zxid=Z (+3: the third since the scenario began; last: the last
// seen) with data=, exist=, child=, persistent= and recursive= for setWatches. A multi's operations are parted by " ; ",
// and "open" as the last leaves out its end mark. xid=N, cut=N (bytes off the end) and extra=HEX (bytes behind it) go
// with any request.
//
// A step may be followed by lines "differs TEXT": what Zooraft answers where it means to differ. That it does differ is
// checked too. docs/differences.md names the scenario and says why.
//
// # What is compared
//
// Per connection, all that is received, in order, up to each step's reply, and after the last one that a connection
// gets, such as that to an unknown operation, up to its end; at the end of a scenario what a last sync
// brings. Steps run one after the other, so the order of requests of several connections is determined. Each frame is
// decoded, strictly, by code of this package's own, and written as text: all fields, bytes left over, fields lacking.
//
// What means nothing is made equal, and nothing else:
//
//   - zxids are relative to the last one before the scenario (z+3), so what consumes one is compared. Those of earlier
//     transactions are "old"; 0 and -1 stand as they are. After a restart they are relative to that.
//   - A time is compared as: the same for all that bears one zxid, not going back from zxid to zxid, and now.
//   - A session id is called by the connection that opened it; container and TTL markers stand as they are.
//   - A password is a length, and zeros or not.
//   - The elements of getChildren, getEphemerals and whoAmI, which ZooKeeper leaves in the order of a hash table, are
//     sorted. So are the events that a connection hears of one transaction that ends a session: in what order its
//     ephemerals go is not determined. Events of other transactions are compared in order.
//   - Replies to auth and sasl, which may overtake others, stand before the others of their step.
package differ
