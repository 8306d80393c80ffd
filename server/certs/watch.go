package certs

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/hashicorp/go-hclog"
)

const (
	// settle is for how long files must not have changed before they are read anew:
	// key and certificate come one after the other.
	settle = 500 * time.Millisecond
	// lookEvery is how often they are looked at unasked: a link to a directory, further
	// up in a file's name, changes unnoticed.
	lookEvery = time.Minute
	maxLinks  = 40 // from one file to the next, as many as Linux follows
)

// digest is of all files' content.
type digest [sha256.Size]byte

// watch has its goroutine read the files anew when they change, until Close.
type watch struct {
	certs *Certs
	log   hclog.Logger
	files []string
	every time.Duration // lookEvery, but in tests
	fs    *fsnotify.Watcher
	done  chan struct{} // closed when the goroutine has ended

	loaded digest // what was read last, or could not be
}

// startWatch notices changes from now on. REQUIRES: the files are read after it.
func startWatch(c *Certs, every time.Duration, log hclog.Logger) (*watch, error) {
	w := &watch{certs: c, log: log, every: every, done: make(chan struct{})}
	for _, store := range []Store{c.cfg.Key, c.cfg.Trust} {
		if store.File == "" {
			continue
		}
		w.files = append(w.files, store.File)
		if store.PasswordFile != "" {
			w.files = append(w.files, store.PasswordFile)
		}
	}
	var err error
	if w.fs, err = fsnotify.NewWatcher(); err != nil {
		return nil, fmt.Errorf("watch certificates: %w", err)
	}
	if err := w.addDirectories(); err != nil {
		w.fs.Close()
		return nil, err
	}
	w.loaded = w.digest()
	go w.loop()
	return w, nil
}

func (w *watch) close() {
	w.fs.Close() // closes its channels too
	<-w.done
}

// addDirectories watches where the files are, and where the links to them are, on the
// way from each name to its file: Kubernetes changes a link to a directory, others a
// link to a file, and an editor puts a new file in the old one's place.
func (w *watch) addDirectories() error {
	for _, name := range w.files {
		for range maxLinks {
			dir := filepath.Dir(name)
			if err := w.fs.Add(dir); err != nil {
				return fmt.Errorf("watch %s: %w", dir, err)
			}
			target, err := os.Readlink(name)
			if err != nil {
				break // the file itself, or nothing
			}
			if name = target; !filepath.IsAbs(target) {
				name = filepath.Join(dir, target)
			}
		}
	}
	return nil
}

// digest reads all files; one that cannot be read counts too.
func (w *watch) digest() digest {
	h := sha256.New()
	for _, name := range w.files {
		b, err := os.ReadFile(name)
		fmt.Fprintf(h, "%d %v ", len(b), err)
		h.Write(b)
	}
	return digest(h.Sum(nil))
}

// loop reads the files anew once two looks at them, settle apart, have shown the same,
// other than what was read last. So it neither reads half of a change nor waits for the
// end of what goes on beside the files, and tells of files that cannot be read once.
func (w *watch) loop() {
	defer close(w.done)
	look := time.NewTimer(settle)
	defer look.Stop()
	unasked := time.NewTicker(w.every)
	defer unasked.Stop()
	looking := true // for what changed before Open had read the files
	seen := w.loaded
	for {
		select {
		case _, open := <-w.fs.Events:
			if !open {
				return
			}
		case err, open := <-w.fs.Errors:
			if !open {
				return
			}
			w.log.Warn("changes of certificates may be seen late", "error", err)
		case <-unasked.C:
		case <-look.C:
			looking = false
			now := w.digest()
			changed := now != seen
			seen = now
			if !changed {
				if now != w.loaded {
					w.reload(now)
				}
				continue
			}
		}
		if !looking {
			look.Reset(settle)
			looking = true
		}
	}
}

// reload takes over what the files hold, of that digest.
func (w *watch) reload(now digest) {
	w.loaded = now
	if err := w.certs.load(); err != nil {
		w.log.Error("changed certificates cannot be read; the old ones stay in use", "error", err)
	} else {
		w.log.Info("certificates have changed", "path", w.files)
	}
	if err := w.addDirectories(); err != nil {
		w.log.Warn("changes of certificates may be seen late", "error", err)
	}
}
