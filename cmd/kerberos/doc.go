// Package kerberos gets the tickets with which a client logs in to servers by the SASL
// mechanism GSSAPI: of a ticket cache, as kinit leaves one, or of a key distribution
// center, by a keytab.
//
// It follows Java's Krb5LoginModule and ZooKeeper's SaslServerPrincipal. Messages and
// encryption are protocol/krb5's.
//
// Left to others: passwords, which nobody is asked for, the renewal of a cache, which is
// never written to, how tokens travel to a server, and what to do about a center that
// does not answer.
//
// Invariant: no lock is held while somebody else is waited for, and whoever waits for
// the network stops when its context ends.
package kerberos
