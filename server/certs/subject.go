package certs

import "crypto/x509"

// Subject is the name of a certificate's holder as the scheme x509 has it: in the form
// of RFC 2253, character by character what Java's X500Principal.getName prints, since
// ACLs are compared with it.
func Subject(cert *x509.Certificate) string { return cert.Subject.String() }
