// Package kerberos gets the tickets with which a client logs in to servers by the SASL
// mechanism GSSAPI: of a ticket cache, as kinit leaves one, or of a key distribution
// center, by a keytab.
//
// It follows Java's Krb5LoginModule and ZooKeeper's SaslServerPrincipal. Messages and
// encryption are protocol/krb5's.
package kerberos
