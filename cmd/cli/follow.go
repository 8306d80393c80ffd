package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"zooraft/cmd/client"
	"zooraft/protocol"
)

// stream passes events on to one reader without ever holding up the client.
type stream struct {
	mu     sync.Mutex
	events []client.Event
	more   chan struct{} // room for one
}

func (s *stream) put(e client.Event) {
	s.mu.Lock()
	s.events = append(s.events, e)
	s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
}

func (s *stream) take() []client.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	events := s.events
	s.events = nil
	return events
}

// cmdWatch follows the changes of a subtree until Ctrl-C.
func (sh *shell) cmdWatch(ctx context.Context, p *parsed) error {
	root := p.args[1]
	if err := sh.zk.Await(ctx, true); err != nil {
		return &client.Error{Code: protocol.ErrConnectionLoss, Path: root}
	}
	s := &stream{more: make(chan struct{}, 1)}
	sh.setFollow(s.put)
	defer sh.setFollow(nil)
	if err := sh.zk.AddWatch(ctx, root, protocol.AddWatchPersistentRecursive); err != nil {
		return err
	}
	if sh.personal() && !sh.inv.json {
		fmt.Fprintln(sh.err, "Watching "+root+" and all below it; Ctrl-C ends this")
	}
	for {
		for _, e := range s.take() {
			sh.change(ctx, e)
		}
		if err := sh.out.Flush(); err != nil {
			return err
		}
		if !sh.zk.State().Alive() {
			return &client.Error{Code: protocol.ErrSessionExpired, Path: root}
		}
		select {
		case <-s.more:
		case <-ctx.Done():
			// The same watch of an addWatch before is gone with it.
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWatchPatience)
			defer cancel()
			err := sh.zk.RemoveWatches(end, root, protocol.WatcherTypePersistentRecursive, false)
			var refused *client.Error
			if errors.As(err, &refused) {
				return err
			}
			return nil
		}
	}
}

const closeWatchPatience = 2 * time.Second

func (sh *shell) setFollow(f func(client.Event)) {
	sh.events.mu.Lock()
	defer sh.events.mu.Unlock()
	sh.follow = f
}

// change prints one event, with the data that are there now.
func (sh *shell) change(ctx context.Context, e client.Event) {
	if e.Type == "None" {
		text := ""
		switch e.State {
		case "Disconnected":
			text = "connection lost; changes are not seen until it is back"
		case "SyncConnected", "ConnectedReadOnly":
			text = "connected again"
		case "SaslAuthenticated":
			return
		default:
			text = "the session has ended: " + e.State
		}
		fmt.Fprintln(sh.err, text)
		return
	}
	line := struct {
		Time    string  `json:"time"`
		Type    string  `json:"type"`
		Path    string  `json:"path"`
		Zxid    string  `json:"zxid"`
		Version *int32  `json:"dataVersion,omitempty"`
		Data    *string `json:"data,omitempty"`
		Base64  string  `json:"base64,omitempty"`
	}{Time: time.Now().Format("2006-01-02T15:04:05.000Z07:00"), Type: e.Type, Path: e.Path, Zxid: fmt.Sprintf("0x%x", uint64(e.Zxid))}
	var data []byte
	if e.Type != "NodeDeleted" {
		var stat *protocol.Stat
		var err error
		if data, stat, err = sh.zk.Get(ctx, e.Path, false); err == nil {
			j := dataJSON(e.Path, data, nil)
			line.Version, line.Data, line.Base64 = &stat.Version, j.Data, j.Base64
		}
	}
	if sh.inv.json {
		b, _ := json.Marshal(line)
		fmt.Fprintln(sh.out, string(b))
		return
	}
	word := map[string]string{"NodeCreated": "created", "NodeDeleted": "deleted", "NodeDataChanged": "changed"}[e.Type]
	if word == "" {
		word = e.Type
	}
	text := fmt.Sprintf("%-7s", word)
	if sh.colour {
		switch word {
		case "created":
			text = green(text)
		case "deleted":
			text = red(text)
		default:
			text = yellow(text)
		}
	}
	fmt.Fprintln(sh.out, strings.TrimRight(time.Now().Format("15:04:05.000")+"  "+text+"  "+e.Path+"  "+preview(data), " "))
}

// previewBytes is how much of a znode's data stands in one line.
const previewBytes = 60

func preview(data []byte) string {
	if data == nil {
		return ""
	}
	cut := ""
	if len(data) > previewBytes {
		data, cut = data[:previewBytes], "…"
	}
	return fmt.Sprintf("%q", data) + cut
}
