// Package sasl is the mechanism DIGEST-MD5 of SASL (RFC 2831) as ZooKeeper's clients
// and servers use it: who a client is, by a password that both sides know, and no
// protection of what follows (qop auth, algorithm md5-sess). Both sides are state
// machines over tokens, which it makes and reads; how tokens travel is for others, and
// whose password is which.
//
// The exchange is: nothing from the client, the server's challenge, the client's
// response, and the server's proof that it knows the password, too.
//
// Invariant: no token makes it panic, and no error holds a password.
//
// MD5 is broken for signatures; here it is an ingredient of what deployed clients
// speak. Who listens can guess at passwords, so that this should travel over TLS.
//
// Names are UTF-8, whether or not a client says so: those that do not (kazoo's) send no
// other.
//
// Sources, where the RFC leaves a choice: com.sun.security.sasl.digest of Java,
// ZooKeeper's SecurityUtils, SaslServerCallbackHandler.
package sasl
