package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
)

var errNoKey = errors.New("without keyStore.location there is no certificate to answer with")

// handshakeRecord is the first byte of what speaks TLS. A client of ZooKeeper begins
// with the length of its first frame, or with the letter of a word.
const handshakeRecord = 0x16

// Certs is the current state of a configuration's files. Its methods may be called by
// any goroutine.
type Certs struct {
	cfg     Config
	minimum uint16 // of TLS's versions
	maximum uint16
	suites  []uint16
	server  *tls.Config

	state atomic.Pointer[state]
	watch *watch // nil without Reload
}

// state is what the files held at one time.
type state struct {
	own    *tls.Certificate // nil without a key store
	roots  *x509.CertPool   // nil for the system's
	server *tls.Config
}

// Open reads the files, and with Reload watches them until Close. An error names the
// key and the file. Without a key store it can only be dialled with. It does not keep
// log beyond Close. REQUIRES: Validate has found nothing.
func Open(cfg Config, log hclog.Logger) (*Certs, error) { return openEvery(cfg, lookEvery, log) }

// openEvery is Open with the time between two looks at files that are watched.
func openEvery(cfg Config, every time.Duration, log hclog.Logger) (*Certs, error) {
	c := &Certs{cfg: cfg}
	if versions, suites := cfg.unknown(); len(versions)+len(suites) > 0 {
		log.Warn("what is listed and cannot be had is passed over", "enabledProtocols", versions, "ciphersuites", suites)
	}
	c.minimum, c.maximum, c.suites = cfg.versions()
	c.server = &tls.Config{MinVersion: c.minimum, MaxVersion: c.maximum, GetConfigForClient: c.answer}
	if cfg.Reload {
		var err error
		if c.watch, err = startWatch(c, every, log); err != nil {
			return nil, err
		}
	}
	if err := c.load(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Close ends the watching. It may be called twice, and on nil.
func (c *Certs) Close() {
	if c != nil && c.watch != nil {
		c.watch.close()
	}
}

// load reads the files and puts what they hold to use.
func (c *Certs) load() error {
	s := &state{}
	var err error
	if c.cfg.Key.File != "" {
		if s.own, err = readKeyStore(c.cfg.Key); err != nil {
			return err
		}
	}
	if c.cfg.Trust.File != "" {
		if s.roots, err = readTrustStore(c.cfg.Trust); err != nil {
			return err
		}
	}
	if s.own != nil {
		s.server = &tls.Config{
			MinVersion:   c.minimum,
			MaxVersion:   c.maximum,
			CipherSuites: c.suites,
			Certificates: []tls.Certificate{*s.own},
			ClientAuth:   c.cfg.clientAuth(),
			ClientCAs:    s.roots,
		}
	}
	c.state.Store(s)
	return nil
}

// answer chooses what one caller is answered with.
func (c *Certs) answer(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	cfg := c.state.Load().server
	if cfg == nil {
		return nil, errNoKey
	}
	if !c.cfg.VerifyClient {
		return cfg, nil
	}
	host, _, err := net.SplitHostPort(hello.Conn.RemoteAddr().String())
	if err != nil {
		return nil, fmt.Errorf("address of the caller: %w", err)
	}
	cfg = cfg.Clone()
	cfg.VerifyConnection = func(cs tls.ConnectionState) error {
		if len(cs.PeerCertificates) == 0 {
			return nil // which ClientAuth allows, or the handshake would have failed
		}
		return VerifyHost(cs.PeerCertificates[0], host)
	}
	return cfg, nil
}

// client is what host (a name or an address, without port) is dialled with. Each
// handshake sees the files as they are then.
func (c *Certs) client(host string) *tls.Config {
	return &tls.Config{
		ServerName:   host,
		MinVersion:   c.minimum,
		MaxVersion:   c.maximum,
		CipherSuites: c.suites,
		GetClientCertificate: func(asked *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			// One of another authority is kept back, as Java does: who only wants one then goes on without.
			if own := c.state.Load().own; own != nil && asked.SupportsCertificate(own) == nil {
				return own, nil
			}
			return &tls.Certificate{}, nil
		},
		// Not skipped but done below: Go would neither do without the name nor look for it in the CN.
		InsecureSkipVerify: true,
		VerifyConnection: func(cs tls.ConnectionState) error {
			if err := verifyServer(cs.PeerCertificates, c.state.Load().roots); err != nil || !c.cfg.VerifyServer {
				return err
			}
			return VerifyHost(cs.PeerCertificates[0], host)
		},
	}
}

// Accept makes TLS of an accepted connection, and returns once the handshake is done;
// both it and the look at the first byte block as long as the connection's deadline
// allows. With plainToo a connection that does not begin as TLS does is returned as it
// is. It does not close conn.
func (c *Certs) Accept(conn net.Conn, plainToo bool) (net.Conn, error) {
	if plainToo {
		if secure, err := BeginsTLS(conn); err != nil {
			return nil, err
		} else if !secure {
			return conn, nil
		}
	}
	return shakeHands(tls.Server(conn, c.server))
}

// BeginsTLS says whether a connection begins as TLS does. It leaves the first byte
// there, which it awaits as long as the connection's deadline allows.
func BeginsTLS(conn net.Conn) (bool, error) {
	first, err := firstByte(conn)
	if err != nil {
		return false, fmt.Errorf("await first byte: %w", err)
	}
	return first == handshakeRecord, nil
}

// Dial makes TLS of a connection dialled to host, and returns once the handshake is
// done. It blocks as long as the connection's deadline allows, and does not close conn.
func (c *Certs) Dial(conn net.Conn, host string) (net.Conn, error) {
	return shakeHands(tls.Client(conn, c.client(host)))
}

func shakeHands(conn *tls.Conn) (net.Conn, error) {
	if err := conn.Handshake(); err != nil {
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return conn, nil
}

// Leaf is the certificate that the other side of a connection has shown, nil for none,
// and for a connection without TLS. One that embeds a tls.Conn will do.
func Leaf(conn net.Conn) *x509.Certificate {
	t, ok := conn.(interface{ ConnectionState() tls.ConnectionState })
	if !ok {
		return nil
	}
	shown := t.ConnectionState().PeerCertificates
	if len(shown) == 0 {
		return nil
	}
	return shown[0]
}
