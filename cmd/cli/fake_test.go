package cli

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"

	"zooraft/cmd/client"
	"zooraft/protocol"
)

// answers is what a server says to a request: its result, or nothing with !ok.
type answers func(op protocol.OpCode, request protocol.Decoder) (reply []byte, code protocol.ErrCode, ok bool)

// serve grants sessions on a port of its own, which it returns, and answers their
// requests.
func serve(t *testing.T, answer answers) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, ln, answer)
	return ln.Addr().String()
}

func serveOn(t *testing.T, ln net.Listener, answer answers) {
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go serveOne(nc, answer)
		}
	}()
}

func serveOne(nc net.Conn, answer answers) {
	defer nc.Close()
	write := func(body []byte) {
		b, mark := protocol.BeginFrame(nil)
		nc.Write(protocol.EndFrame(append(b, body...), mark))
	}
	for greeted := false; ; greeted = true {
		var head [4]byte
		if _, err := io.ReadFull(nc, head[:]); err != nil {
			return
		}
		b := make([]byte, binary.BigEndian.Uint32(head[:]))
		if _, err := io.ReadFull(nc, b); err != nil {
			return
		}
		if !greeted {
			write((&protocol.ConnectResponse{Timeout: 30_000, SessionID: 7, Passwd: make([]byte, protocol.PasswdBytes)}).Append(nil))
			continue
		}
		d := protocol.NewDecoder(b)
		var h protocol.RequestHeader
		h.Decode(&d)
		body, code, ok := []byte(nil), protocol.ErrOK, true
		if h.Op != protocol.OpCloseSession && h.Op != protocol.OpPing {
			body, code, ok = answer(h.Op, d)
		}
		if ok {
			write(append((&protocol.ReplyHeader{Xid: h.Xid, Zxid: 1, Err: code}).Append(nil), body...))
		}
	}
}

// znodes answers as a tree of a root without children would.
func znodes(op protocol.OpCode, _ protocol.Decoder) ([]byte, protocol.ErrCode, bool) {
	stat := new(protocol.Stat).Append(nil)
	switch op {
	case protocol.OpGetChildren2:
		return append(protocol.AppendInt32(nil, 0), stat...), protocol.ErrOK, true
	case protocol.OpGetData:
		return append(protocol.AppendBuffer(nil, []byte("root")), stat...), protocol.ErrOK, true
	case protocol.OpGetACL:
		return append(protocol.AppendACLs(nil, client.OpenACL), stat...), protocol.ErrOK, true
	case protocol.OpExists:
		return stat, protocol.ErrOK, true
	}
	return nil, protocol.ErrUnimplemented, true
}

// script runs lines against a server.
func script(server, lines string) (stdout, stderr string, code int) {
	var out, complaints bytes.Buffer
	code = Run([]string{"-server", server}, IO{Stdin: strings.NewReader(lines), Stdout: &out, Stderr: &complaints})
	return out.String(), complaints.String(), code
}
