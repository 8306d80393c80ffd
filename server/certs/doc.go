// Package certs makes TLS of the files that zoo.cfg names: key stores and trust
// stores as ZooKeeper has them, PEM, PKCS#12 or JKS.
//
// It follows the ZooKeeper Administrator's Guide, "Encryption, Authentication,
// Authorization Options", and where the guide is silent org.apache.zookeeper.common's
// X509Util and ZKTrustManager.
//
// Left to others: which port speaks TLS, and what an identity may do.
//
// Invariant: what a port or a dial uses is one whole state of the files. New files
// that cannot be read leave the old ones in use, and are told of in the log.
package certs
