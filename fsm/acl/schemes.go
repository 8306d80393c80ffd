package acl

// Schemes says in what a server's schemes differ from the default, which is
// world, auth, digest and ip. An entry of a scheme that is not there cannot be
// stored, and matches nobody if it was stored before.
type Schemes uint8

// The differences.
const (
	NoDigest Schemes = 1 << iota // there is no digest
	X509                         // there is x509
	SASL                         // there is sasl
)

// has says whether a scheme is there whose ids stand for single principals.
func (s Schemes) has(scheme string) bool {
	switch scheme {
	case schemeDigest:
		return s&NoDigest == 0
	case schemeIP:
		return true
	case schemeX509:
		return s&X509 != 0
	case schemeSASL:
		return s&SASL != 0
	}
	return false
}

// authenticated reports whether the identity proves who its holder is: an
// address does not, and super is no identity that a list could name.
func (s Schemes) authenticated(scheme string) bool { return scheme != schemeIP && s.has(scheme) }
