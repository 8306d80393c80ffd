// Package peer connects the members of an ensemble: the handshake that opens
// every connection between servers, and the mesh of ordered streams on the
// quorum port.
//
// Each member dials each other one and sends on the connection it dialled, so
// what A sends to B and what B sends to A never mix, and a broken process is
// seen at once: its peers read the end of the stream. A stream delivers frames
// in order, each at most once; when it breaks, what was on its way may be lost,
// and the layer above sends again.
//
// The package knows members by their server id and host names, which it
// resolves at every dial because addresses change. Members come and go while it
// runs. Any other server of the same ensemble, or of none, may call, and is called
// back; what it may do is for the layer above to say. It does not know what the
// frames mean.
//
// Who uses the package gives it a [Security], for all connections, or none for plain
// text. That makes TLS of a connection and knows certificates; here stands which one
// speaks for whom. Who is dialled has to show one for the host that was dialled, and
// who calls one for the host that the membership has its id at. A guest's has to be for
// the address that it calls from, or for a host that stands for this address. Who only
// asks for the status needs no name.
//
// Invariant: at most one process speaks to this server under each server id,
// unless it has the same data directory, as one that starts again before its end
// was noticed.
package peer
