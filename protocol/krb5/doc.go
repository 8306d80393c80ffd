// Package krb5 has what the SASL mechanism GSSAPI (RFC 4752) needs of Kerberos 5:
// principals, keytabs, krb5.conf, encryption types, messages, and the tokens of a
// security context (RFC 4121).
//
// Only the standard library is used. What is known in Go for Kerberos has had no
// release since 2023, and reads what strangers send with an ASN.1 decoder that
// was copied from the standard library long before.
//
// Left to others: files, clocks, the network, which authenticator was seen
// before, and what a principal may do.
//
// Invariant: no input makes a function here panic, nor allocate more than a
// small multiple of its length.
package krb5
