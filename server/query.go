package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"zooraft/server/peer"
	"zooraft/zabcompat"
)

// queryTimeout bounds a question to another process.
const queryTimeout = 3 * time.Second

// QueryStatus asks a member of an ensemble, over its quorum port, what it says
// of itself: with TLS, or without where tls is nil. It blocks for a few seconds, longer
// while nameservers are silent.
func QueryStatus(m zabcompat.ServerSpec, tls *Certs) (Status, error) {
	var q *quorumTLS
	if tls != nil {
		q = &quorumTLS{certs: tls, dials: true}
	}
	return queryStatus(context.Background(), q.security(), m.ID, m.QuorumAddr())
}

func queryStatus(ctx context.Context, security peer.Security, sid int, addr string) (Status, error) {
	var st Status
	if addr == "" {
		return st, errors.New("nobody has said where it is")
	}
	b, err := peer.Status(ctx, addr, security)
	if err != nil {
		return st, err
	}
	if err := json.Unmarshal(b, &st); err != nil {
		return st, fmt.Errorf("status of server %d: %w", sid, err)
	}
	return st, nil
}

// QueryWord sends a four-letter word to a client port and returns the answer; with
// tls to one that speaks TLS, nil for plain text. It blocks for a few seconds.
func QueryWord(addr, word string, tls *Certs) (string, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	conn, err := net.DialTimeout("tcp", addr, queryTimeout)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(queryTimeout)); err != nil {
		return "", err
	}
	if tls != nil {
		if conn, err = tls.Dial(conn, cmp.Or(host, "localhost")); err != nil {
			return "", err
		}
	}
	if _, err := io.WriteString(conn, word); err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(conn, 1<<20))
	return string(b), err
}
