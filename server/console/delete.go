package console

import (
	"fmt"
	"net/http"

	"zooraft/protocol"
)

// Bounds of a recursive deletion.
const (
	maxDeleted  = 100_000 // znodes
	deleteBatch = 200     // in one request
)

// deletion asks for the end of a znode, of a version of its data or, with -1, any.
// Recursive takes all below it first.
type deletion struct {
	Path      string `json:"path"`
	Version   *int32 `json:"version"`
	Recursive bool   `json:"recursive"`
}

func (c *Console) delete(w http.ResponseWriter, r *http.Request, s *session) {
	var q deletion
	if !c.readWrite(w, r, &q) {
		return
	}
	if q.Version == nil {
		fail(w, http.StatusBadRequest, "BadArguments", "version is missing; -1 stands for any")
		return
	}
	deleted := 0
	if q.Recursive {
		n, ok := c.deleteBelow(w, r, s, q.Path, *q.Version)
		if n > 0 {
			c.log.Info("console: write", "act", "delete below", "path", protocol.OnOneLine(q.Path), "count", n, "user", s.user, "client", r.RemoteAddr)
		}
		if !ok {
			return
		}
		deleted = n
	}
	body := (&protocol.DeleteRequest{Path: q.Path, Version: *q.Version}).Append(nil)
	c.write(w, r, s, "delete", protocol.OpDelete, body, written{Path: q.Path, Deleted: deleted + 1})
}

// deleteBelow deletes all below a znode, deepest first, in some requests: others
// see it go bit by bit. It begins with nothing if the znode is not of the version,
// or there is too much. What it could not do it answers.
func (c *Console) deleteBelow(w http.ResponseWriter, r *http.Request, s *session, path string, version int32) (deleted int, ok bool) {
	n := c.look(path)
	switch {
	case n == nil:
		noNode(w, path)
		return 0, false
	case version >= 0 && n.Stat.Version != version:
		c.refused(w, outcome{code: protocol.ErrBadVersion}, nil, path)
		return 0, false
	}
	for range maxRounds {
		all, few := c.below(path)
		if !few {
			fail(w, http.StatusBadRequest, "TooMany", fmt.Sprintf("there are more than %d znodes below it; use a client", maxDeleted))
			return deleted, false
		}
		n, o, err := c.deleteAll(r, s, all)
		deleted += n
		switch {
		case err != nil || o.code != protocol.ErrOK && o.code != protocol.ErrNoNode && o.code != protocol.ErrNotEmpty:
			c.noteUnknown(r, s, "delete below", path, err)
			c.refused(w, o, err, path)
			return deleted, false
		case o.code == protocol.ErrOK:
			return deleted, true
		}
		// Others have made or deleted something there meanwhile.
	}
	c.refused(w, outcome{code: protocol.ErrNotEmpty}, nil, path)
	return deleted, false
}

// maxRounds is how often what is below a znode is listed anew before it is given
// up because others change it.
const maxRounds = 5

// deleteAll deletes paths from the last to the first, some at a time, and says how
// many it did and what stopped it.
func (c *Console) deleteAll(r *http.Request, s *session, paths []string) (deleted int, o outcome, err error) {
	for end := len(paths); end > 0; {
		var ops []protocol.MultiOp
		size := 0
		for end > 0 && len(ops) < deleteBatch && (size == 0 || size+len(paths[end-1]) < c.cfg.MaxBuffer/2) {
			end--
			size += len(paths[end]) + opBytes
			ops = append(ops, protocol.MultiOp{Type: protocol.OpDelete, Delete: protocol.DeleteRequest{Path: paths[end], Version: -1}})
		}
		o, err := c.propose(r, s, protocol.OpMulti, protocol.AppendMulti(nil, ops))
		if o.sub != protocol.ErrOK {
			o.code = o.sub
		}
		if err != nil || o.code != protocol.ErrOK {
			return deleted, o, err
		}
		deleted += len(ops)
	}
	return deleted, outcome{}, nil
}

// opBytes is what a deletion in a multi takes besides its path.
const opBytes = 24

// below lists what is below a znode, parents first; false if that is more than
// maxDeleted.
func (c *Console) below(path string) ([]string, bool) {
	all := []string{path}
	for i := 0; i < len(all); i++ {
		l, ok := c.lists.read(all[i])
		if !ok {
			continue // gone meanwhile
		}
		if len(all)-1+l.len() > maxDeleted {
			return nil, false
		}
		for j := range l.len() {
			all = append(all, join(all[i], l.name(j)))
		}
	}
	return all[1:], true
}
