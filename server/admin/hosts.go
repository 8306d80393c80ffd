package admin

import (
	"net"
	"net/netip"
	"strings"
)

// Hosts are the names that a page may be called by. A site can make a name of its
// own mean this server's address, and its scripts then ask as if they were the
// page's; an address is nobody's to give away, and no more is localhost. It may be
// used by many at a time; the zero value has no names.
type Hosts struct {
	names map[string]bool
	any   bool
}

// NewHosts knows names besides localhost and addresses, with or without a port;
// "*" stands for any.
func NewHosts(names []string) Hosts {
	h := Hosts{names: make(map[string]bool, len(names))}
	for _, name := range names {
		h.names[plainHost(name)] = true
		h.any = h.any || name == "*"
	}
	return h
}

// Knows says whether the Host of a request is a way to name this server. None, as
// HTTP/1.0 may have it, is one: browsers always send it.
func (h Hosts) Knows(host string) bool {
	name := plainHost(host)
	if name == "" || name == "localhost" || strings.HasSuffix(name, ".localhost") || h.any || h.names[name] {
		return true
	}
	_, err := netip.ParseAddr(name)
	return err == nil
}

// plainHost is a host, perhaps with a port, as it is compared.
func plainHost(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// loopback says whether an address to listen on is for this host alone.
func loopback(addr string) bool {
	host := plainHost(addr)
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
