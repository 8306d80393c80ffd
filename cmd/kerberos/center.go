package kerberos

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

const (
	defaultPort   = 88
	maxReplyBytes = 256 << 10
	// centerTimeout is how long one key distribution center may take.
	centerTimeout = 5 * time.Second
	// maxCenters is how many are tried.
	maxCenters = 6
)

// send asks the key distribution centers of a realm, one after the other, until one
// answers, else ErrNoCenter. They are dialled by TCP, which all listen on.
func (l *Login) send(ctx context.Context, realm string, message []byte) ([]byte, error) {
	centers, err := l.centers(ctx, realm)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, addr := range centers[:min(len(centers), maxCenters)] {
		reply, err := ask(ctx, addr, message)
		if err == nil {
			return reply, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("%w: realm %s: %w", ErrNoCenter, realm, errors.Join(errs...))
}

// centers are the addresses of a realm's key distribution centers: those of krb5.conf, or
// else of DNS.
func (l *Login) centers(ctx context.Context, realm string) ([]string, error) {
	var addrs []string
	for _, host := range l.conf.KDCs[realm] {
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(defaultPort))
		}
		addrs = append(addrs, host)
	}
	if len(addrs) > 0 {
		return addrs, nil
	}
	if !l.conf.DNS {
		return nil, fmt.Errorf("krb5.conf names no kdc of the realm %s", realm)
	}
	_, records, err := l.dns.LookupSRV(ctx, "kerberos", "tcp", realm)
	var unknown *net.DNSError
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.As(err, &unknown) && unknown.IsNotFound:
		return nil, fmt.Errorf("krb5.conf names no kdc of the realm %s, nor does DNS: %w", realm, err)
	case err != nil:
		return nil, fmt.Errorf("%w: krb5.conf names none of the realm %s: %w", ErrNoCenter, realm, err)
	}
	for _, r := range records {
		addrs = append(addrs, net.JoinHostPort(strings.TrimSuffix(r.Target, "."), strconv.Itoa(int(r.Port))))
	}
	return addrs, nil
}

// ask sends one message behind its length, and reads the reply likewise (RFC 4120, 7.2.2).
func ask(ctx context.Context, addr string, message []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, centerTimeout)
	defer cancel()
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	defer context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })()
	if _, err := nc.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(message))), message...)); err != nil {
		return nil, err
	}
	var size [4]byte
	if _, err := io.ReadFull(nc, size[:]); err != nil {
		return nil, fmt.Errorf("%s: %w", addr, err)
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxReplyBytes {
		return nil, fmt.Errorf("%s: a reply of %d bytes", addr, n)
	}
	reply := make([]byte, n)
	if _, err := io.ReadFull(nc, reply); err != nil {
		return nil, fmt.Errorf("%s: %w", addr, err)
	}
	return reply, nil
}
