package client

import (
	"io"
	"net"
	"testing"
	"time"

	"zooraft/protocol"
	"zooraft/protocol/sasl"
)

// FuzzConn throws arbitrary bytes at a connection, with and without a session.
// Whatever they are, the connection ends when its client goes, and a neighbour
// is served all along.
func FuzzConn(f *testing.F) {
	session := protocol.ConnectRequest{Timeout: 5000, HasReadOnly: true}
	hello := frameOf(session.Append(nil))
	f.Add(false, []byte("ruok\n"))
	f.Add(false, hello)
	f.Add(false, []byte{255, 255, 255, 255, 0})
	f.Add(true, request(1, protocol.OpCreate, create("/a", "x")))
	f.Add(true, append(request(1, protocol.OpSync, &protocol.SyncRequest{Path: "/"}), request(2, protocol.OpDelete, &protocol.DeleteRequest{Path: "/a", Version: -1})...))
	f.Add(true, append(request(1, protocol.OpGetChildren2, watched("/")), request(2, protocol.OpSetData, &protocol.SetDataRequest{Path: "/a", Version: -1})...))
	f.Add(true, request(-8, protocol.OpSetWatches2, &protocol.SetWatches2{SetWatches: protocol.SetWatches{Data: []string{"/a"}}, Recursive: []string{"/"}}))
	f.Add(true, request(1, protocol.OpMulti, rawBody(protocol.AppendMulti(nil, []protocol.MultiOp{
		{Type: protocol.OpCreate, Create: *create("/m", "")}, {Type: protocol.OpCheck, Check: protocol.CheckVersionRequest{Path: "/m"}},
	}))))
	f.Add(true, append(request(-4, protocol.OpAuth, &protocol.AuthPacket{Scheme: "digest", Auth: []byte("u:p")}), request(5, protocol.OpCloseSession, nil)...))
	f.Add(true, request(1, protocol.OpSASL, &protocol.SASLPacket{}))
	f.Add(true, append(request(1, protocol.OpSASL, &protocol.SASLPacket{Token: []byte{}}), request(2, protocol.OpSASL, &protocol.SASLPacket{Token: []byte(`username="bob",nc=00000001`)})...))

	fx := start(f, func(c *Config) {
		c.JuteMaxBuffer = 1 << 16
		c.SASL = func() SASLServer { return sasl.NewDigestServer(func(string) (string, bool) { return "pw", true }) }
	})
	neighbour := fx.connect()
	f.Fuzz(func(t *testing.T, withSession bool, data []byte) {
		ours, theirs := net.Pipe()
		fx.s.admit(theirs, entryPlain)
		go io.Copy(io.Discard, ours)
		ours.SetDeadline(time.Now().Add(10 * time.Second))
		if withSession {
			ours.Write(hello)
		}
		ours.Write(data) // may fail: the server has closed
		ours.Close()
		neighbour.t = t
		neighbour.nc.SetDeadline(time.Now().Add(10 * time.Second))
		if h, _ := neighbour.call(1, protocol.OpExists, get("/")); h.Err != 0 {
			t.Errorf("neighbour: %v", h.Err)
		}
		eventually(t, "connection ended", func() bool { return fx.s.Stats().Connections == 1 })
	})
}

type rawBody []byte

func (b rawBody) Append(dst []byte) []byte { return append(dst, b...) }

// The frames that come out do not depend on how the bytes came in.
func FuzzFrameReader(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 9, 0, 0, 0, 0}, uint16(3))
	f.Add([]byte{255, 0, 0, 0}, uint16(1))
	f.Add(append(frameOf(make([]byte, 5000)), frameOf(make([]byte, 40000))...), uint16(4096))
	f.Fuzz(func(t *testing.T, data []byte, chunk uint16) {
		const limit = 1 << 16
		var want [][]byte
		rest, bad := data, false
		for len(rest) >= 4 && !bad {
			n := int32(uint32(rest[0])<<24 | uint32(rest[1])<<16 | uint32(rest[2])<<8 | uint32(rest[3]))
			bad = n < 0 || n > limit
			if bad || len(rest) < 4+int(n) {
				break
			}
			want = append(want, rest[4:4+n])
			rest = rest[4+n:]
		}
		var r frameReader
		r.init(&chunks{data: data, size: int(chunk) + 1}, nil, limit)
		defer r.release()
		for got := 0; ; {
			if p, w := r.peek(), r.w-r.r; p != nil && w < 4+len(p) {
				t.Fatalf("peek gives %d bytes of %d", len(p), w)
			}
			frame, ok, badLength := r.next()
			if badLength {
				if !bad || got != len(want) {
					t.Fatalf("bad length after %d frames, want %d", got, len(want))
				}
				return
			}
			if ok {
				if got >= len(want) || string(frame) != string(want[got]) {
					t.Fatalf("frame %d is %x", got, frame)
				}
				got++
				continue
			}
			n, err := r.fill()
			if n == 0 && err == nil {
				t.Fatal("no room to read into")
			}
			if err != nil {
				if bad || got != len(want) {
					t.Fatalf("end after %d frames, want %d", got, len(want))
				}
				return
			}
			if len(r.buf) > 2*(len(data)+smallBuffer)+bigBuffer {
				t.Fatalf("buffer of %d bytes for %d", len(r.buf), len(data))
			}
		}
	})
}

// chunks is a connection that gives data in pieces of one size.
type chunks struct {
	net.Conn
	data []byte
	size int
}

func (c *chunks) Read(b []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := copy(b, c.data[:min(c.size, len(c.data))])
	c.data = c.data[n:]
	return n, nil
}
