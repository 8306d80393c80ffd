package main

import (
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Log formats, the values of --log-format.
const (
	logText      = "text"
	logJSON      = "json"
	logZooKeeper = "zookeeper"
)

// logLevelOf returns the level that a word means, hclog.NoLevel for none. ALL and FATAL
// are log4j's, which the variables of containers have.
func logLevelOf(word string) hclog.Level {
	switch strings.ToUpper(strings.TrimSpace(word)) {
	case "ALL":
		return hclog.Trace
	case "FATAL":
		return hclog.Error
	}
	return hclog.LevelFromString(word)
}

// newLog makes the server's log. named takes the server's id once it is known. The
// format zookeeper is the layout of ZooKeeper's logback.xml, for which log shippers
// have patterns.
func newLog(format string, level hclog.Level, out io.Writer) (log hclog.Logger, named func(myid int), err error) {
	opts := &hclog.LoggerOptions{Name: "zooraft", Level: level, Output: out}
	switch format {
	case logText:
	case logJSON:
		opts.JSONFormat = true
	case logZooKeeper:
		opts.Output = io.Discard
		root := hclog.NewInterceptLogger(opts)
		sink := &zooKeeperSink{level: root.GetLevel, out: out, now: time.Now}
		root.RegisterSink(sink)
		return root, func(myid int) { sink.myid.Store(int64(myid)) }, nil
	default:
		return nil, nil, fmt.Errorf("log format %q is unknown; choose %s, %s or %s", format, logText, logJSON, logZooKeeper)
	}
	return hclog.New(opts), func(int) {}, nil
}

// zooKeeperSink writes lines in ZooKeeper's layout:
//
//	2026-11-22 02:29:25,190 [myid:1] - INFO  [quorum:node.go@145] - LOOKING
//
// with the part of the server in the place of the thread, and the keys behind the
// message.
type zooKeeperSink struct {
	level func() hclog.Level
	now   func() time.Time
	myid  atomic.Int64 // 0: not known, or a server alone

	mu  sync.Mutex // one line at a time
	out io.Writer
}

// Accept implements hclog.SinkAdapter, which is given every line whatever the
// level is.
func (s *zooKeeperSink) Accept(name string, level hclog.Level, msg string, args ...interface{}) {
	if level < s.level() {
		return
	}
	myid := ""
	if n := s.myid.Load(); n > 0 {
		myid = strconv.FormatInt(n, 10)
	}
	part := name
	if _, below, ok := strings.Cut(name, "."); ok {
		part = below
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s [myid:%s] - %-5s [%s:%s] - %s", strings.Replace(s.now().Format("2006-01-02 15:04:05.000"), ".", ",", 1),
		myid, strings.ToUpper(level.String()), part, caller(), msg)
	for i := 0; i+1 < len(args); i += 2 {
		fmt.Fprintf(&b, " %v=%s", args[i], value(args[i+1]))
	}
	b.WriteByte('\n')
	s.mu.Lock()
	defer s.mu.Unlock()
	io.WriteString(s.out, b.String())
}

// value prints a value so that it stays on the line and in one piece.
func value(v any) string {
	text := fmt.Sprint(v)
	if f, ok := v.(hclog.Format); ok && len(f) > 0 {
		text = fmt.Sprintf(f[0].(string), f[1:]...)
	}
	if text == "" || strings.ContainsAny(text, " \t\r\n\"=") {
		return strconv.Quote(text)
	}
	return text
}

// caller is where the line comes from: the first frame that is none of hclog's, nor of
// what stands between it and Raft.
func caller() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		if f.Function != "" && !strings.Contains(f.Function, "hashicorp/go-hclog.") && !strings.Contains(f.Function, "quorum.raftLog.") {
			return filepath.Base(f.File) + "@" + strconv.Itoa(f.Line)
		}
		if !more {
			return "?@0"
		}
	}
}
