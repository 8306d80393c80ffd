package fault

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"zooraft/protocol"
	"zooraft/tests/fault/history"
	"zooraft/tests/fault/loadclient"
)

const (
	root      = "/fault"
	tide      = root + "/tide" // a directory whose children come and go
	registers = 6
	tideNodes = 4
)

func registerPath(i int) string { return fmt.Sprintf("%s/r%d", root, i) }

// prepare creates what the load works on.
func (f *fleet) prepare(sid int, paths []string) {
	f.t.Helper()
	c := f.client("setup", f.timeout)
	f.connect(c, sid, 30*time.Second)
	for _, p := range paths {
		f.must(c.Create(p, "", protocol.CreateModePersistent))
	}
	f.must(c.CloseSession())
}

// startLoad puts perServer connections on each server.
func (f *fleet) startLoad(perServer int, period time.Duration) {
	f.t.Helper()
	f.startLoadOn(f.servers, perServer, period)
}

// startLoadOn is startLoad with homes on some servers only.
func (f *fleet) startLoadOn(servers []loadclient.Server, perServer int, period time.Duration) {
	f.t.Helper()
	paths := []string{root, tide}
	for i := range registers {
		paths = append(paths, registerPath(i))
	}
	f.prepare(servers[0].SID, paths)
	f.addLoad(servers, perServer, period)
}

// addLoad puts perServer connections on each of some servers: six in eight write, one works on registers, one watches.
func (f *fleet) addLoad(servers []loadclient.Server, perServer int, period time.Duration) {
	f.t.Helper()
	special := max(1, perServer/8)
	type plan struct {
		name, dir string
		home      int
		window    int
	}
	var writers []plan
	var dirs []string
	for _, s := range servers {
		for i := range max(1, perServer-2*special) {
			name := fmt.Sprintf("writer-%d-%d", s.SID, i)
			p := plan{name: name, dir: root + "/" + name, home: s.SID, window: 1}
			if i%4 == 3 {
				p.window = 8
			}
			writers = append(writers, p)
			dirs = append(dirs, p.dir)
		}
	}
	f.prepare(servers[0].SID, dirs)
	for _, p := range writers {
		f.add(p.name, p.home, period, writer(p.dir, p.window))
	}
	for _, s := range servers {
		for i := range special {
			f.add(fmt.Sprintf("register-%d-%d", s.SID, i), s.SID, period, registerUser)
			f.add(fmt.Sprintf("watcher-%d-%d", s.SID, i), s.SID, period, watcher)
		}
	}
}

// writer creates sequential znodes in its directory, each with a mark of its own, window requests at once.
func writer(dir string, window int) func(*worker) {
	return func(w *worker) {
		w.dir = dir
		mark := 0
		var open []*loadclient.Request
		w.step = func(w *worker) error {
			open = append(open, w.Create(history.MarkPath(dir, mark), "", protocol.CreateModePersistentSequential))
			mark++
			if len(open) < window {
				return nil
			}
			_, err := open[0].Wait(w.f.ctx)
			open = open[1:]
			return err
		}
		w.drain = func(w *worker) {
			for _, r := range open {
				_, _ = r.Wait(w.f.ctx) // what came of it is in the history
			}
			open = nil
		}
	}
}

// registerUser reads and writes registers, and makes the tide.
func registerUser(w *worker) {
	n := 0
	w.step = func(w *worker) error {
		path := registerPath(w.rng.IntN(registers))
		n++
		value := fmt.Sprintf("%s:%d", w.Name(), n)
		switch k := w.rng.IntN(12); {
		case k < 3:
			return w.all(w.SetData(path, value, -1))
		case k < 6:
			return w.all(w.Sync(path), w.GetData(path, false))
		case k < 7:
			return w.all(w.GetData(path, false))
		case k < 9: // the read must show the write, though both are sent at once
			return w.all(w.SetData(path, value, -1), w.GetData(path, false))
		default:
			path = tidePath(w.rng)
			if w.rng.IntN(2) == 0 {
				return w.all(w.Create(path, value, protocol.CreateModePersistent))
			}
			return w.all(w.Delete(path, -1))
		}
	}
}

func tidePath(rng *rand.Rand) string { return fmt.Sprintf("%s/x%d", tide, rng.IntN(tideNodes)) }

// watcher sets watches on what the register users change, and reads it, with a watch and without.
func watcher(w *worker) {
	w.step = func(w *worker) error {
		watch := w.rng.IntN(2) == 0
		switch w.rng.IntN(4) {
		case 0:
			return w.all(w.GetChildren(tide, watch))
		case 1:
			return w.all(w.Exists(tidePath(w.rng), watch))
		case 2:
			return w.all(w.GetData(tidePath(w.rng), watch))
		default:
			return w.all(w.GetData(registerPath(w.rng.IntN(registers)), watch))
		}
	}
}

// all waits for replies. That a znode of the tide is there, or not, is no error.
func (w *worker) all(requests ...*loadclient.Request) error {
	var errs []error
	for _, r := range requests {
		_, err := r.Wait(w.f.ctx)
		if !errors.Is(err, protocol.ErrNoNode) && !errors.Is(err, protocol.ErrNodeExists) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
