// Package kerberos is the server's side of the SASL mechanism GSSAPI (RFC 4752): a
// client proves with a ticket for the server's principal which principal it is.
//
// It follows ZooKeeperSaslServer, SaslServerCallbackHandler and KerberosName, which
// leave the exchange to Java: no security layer is offered, so what comes after the
// exchange is as the connection is. Unlike Java it needs no key distribution center,
// only the keytab, which is read anew when it has changed.
//
// Left to others: how tokens travel, and what a user may do. Messages and encryption
// are protocol/krb5's.
package kerberos
