package client

import (
	"cmp"
	"context"
	"math/rand/v2"
	"net"
	"slices"
	"time"
)

// target is one address of a server.
type target struct {
	name  string        // the server, as the list has it: host:port
	addr  string        // what is dialled
	limit time.Duration // for the connection and its handshake
}

// host is the server's name, without the port.
func (t target) host() string {
	host, _, _ := net.SplitHostPort(t.name)
	return cmp.Or(host, "localhost")
}

// targets returns a server's addresses of this moment, in a random order, as
// StaticHostProvider does; one that has just been lost comes last. They share the
// server's part of the time in which each is to have been asked.
func (c *Client) targets(ctx context.Context, name, lost string) ([]target, error) {
	share := max(c.cfg.Timeout/time.Duration(len(c.addrs)), time.Second)
	ctx, cancel := context.WithTimeout(ctx, share)
	defer cancel()
	addrs, err := c.resolve(ctx, name)
	if err != nil {
		return nil, err
	}
	rand.Shuffle(len(addrs), func(i, k int) { addrs[i], addrs[k] = addrs[k], addrs[i] })
	if i := slices.Index(addrs, lost); i >= 0 {
		addrs = append(slices.Delete(addrs, i, i+1), lost)
	}
	limit := max(share/time.Duration(len(addrs)), time.Second)
	found := make([]target, len(addrs))
	for i, addr := range addrs {
		found[i] = target{name, addr, limit}
	}
	return found, nil
}

func (c *Client) resolve(ctx context.Context, name string) ([]string, error) {
	host, port, err := net.SplitHostPort(name)
	if err != nil {
		return nil, err
	}
	if c.cfg.Lookup == nil || host == "" {
		return []string{name}, nil
	}
	ips, err := c.cfg.Lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	if len(ips) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	ips = slices.Clone(ips)
	slices.Sort(ips)
	var addrs []string
	for _, ip := range slices.Compact(ips) {
		addrs = append(addrs, net.JoinHostPort(ip, port))
	}
	return addrs, nil
}

// telling returns which of a round's errors says more: any that is not of dialling one
// of several addresses, such as of a family that this machine does not have. What is
// wrapped is of something else that a login has dialled.
func telling(before, err error) error {
	if dialling, ok := err.(*net.OpError); ok && dialling.Op == "dial" && before != nil {
		return before
	}
	return err
}
