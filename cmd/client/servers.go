package client

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// DefaultPort is the port of a server that is named without one.
const DefaultPort = 2181

var errNoServer = errors.New("no server is named")

// ParseServers takes a connect string apart: "host:port,host:port/chroot", as
// org.apache.zookeeper.client.ConnectStringParser does. A chroot of "/" is none.
func ParseServers(s string) (addrs []string, chroot string, err error) {
	if i := strings.IndexByte(s, '/'); i >= 0 {
		s, chroot = s[:i], s[i:]
		if chroot == "/" {
			chroot = ""
		} else if err := CheckPath(chroot); err != nil {
			return nil, "", err
		}
	}
	for one := range strings.SplitSeq(s, ",") {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		addr, err := parseServer(one)
		if err != nil {
			return nil, "", err
		}
		addrs = append(addrs, addr)
	}
	if len(addrs) == 0 {
		return nil, "", errNoServer
	}
	return addrs, chroot, nil
}

func parseServer(s string) (string, error) {
	host, port := s, ""
	if rest, ok := strings.CutPrefix(s, "["); ok {
		end := strings.IndexByte(rest, ']')
		if end < 0 {
			return "", fmt.Errorf("server %q: no ] behind an IPv6 address", s)
		}
		host, port = rest[:end], strings.TrimPrefix(rest[end+1:], ":")
	} else if i := strings.LastIndexByte(s, ':'); i >= 0 {
		host, port = s[:i], s[i+1:]
	}
	if port == "" {
		port = strconv.Itoa(DefaultPort)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return "", fmt.Errorf("server %q: %q is no port", s, port)
	}
	return net.JoinHostPort(host, port), nil
}
