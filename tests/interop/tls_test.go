//go:build interop

package interop

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"slices"
	"strconv"
	"testing"
	"time"

	"zooraft/tests/harness"
	"zooraft/tests/interop/differ"
	"zooraft/tests/testkit"
)

// tlsPair is what two servers of one configuration need for a port for TLS each.
type tlsPair struct {
	ca    *testkit.CA
	ports []int // none if the configuration asks for no such port
}

func newTLSPair(t *testing.T, c *differ.Config, o *harness.Options) *tlsPair {
	if !c.TLS {
		return &tlsPair{}
	}
	p := &tlsPair{testkit.NewCA(t), testkit.Ports(t, 2)}
	o.Lines = append(slices.Clip(o.Lines),
		"serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
		"ssl.keyStore.location="+p.ca.Issue("localhost", "127.0.0.1").File,
		"ssl.trustStore.location="+p.ca.File)
	return p
}

// with is o for one of the two.
func (p *tlsPair) with(o harness.Options, which int) harness.Options {
	if p.ports != nil {
		o.Lines = append(slices.Clone(o.Lines), fmt.Sprintf("secureClientPort=%d", p.ports[which]))
	}
	return o
}

// dialer connects to one of the two.
func (p *tlsPair) dialer(which int) func(client string) (net.Conn, error) {
	return func(client string) (net.Conn, error) {
		var own []testkit.Certificate
		if client != "none" {
			own = append(own, p.ca.IssueTo(pkix.Name{CommonName: client}))
		}
		d := &net.Dialer{Timeout: 20 * time.Second}
		return tls.DialWithDialer(d, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p.ports[which])), p.ca.Client("localhost", own...))
	}
}
