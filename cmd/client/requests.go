package client

import (
	"context"
	"errors"
	"strings"

	"zooraft/protocol"
)

// above is the server's path of a client's.
func (c *Client) above(path string) string {
	if path == "/" && c.chroot != "" {
		return c.chroot
	}
	return c.chroot + path
}

// below is the client's path of a server's.
func (c *Client) below(path string) string {
	if path == c.chroot {
		return "/"
	}
	if rest, ok := strings.CutPrefix(path, c.chroot); ok && strings.HasPrefix(rest, "/") {
		return rest
	}
	return path
}

// OpenACL lets everybody do everything: ZooDefs.Ids.OPEN_ACL_UNSAFE.
var OpenACL = []protocol.ACL{{Perms: protocol.PermAll, Scheme: "world", ID: "anyone"}}

// Create makes a znode and returns its path, which is another than the one given if
// mode is sequential. ttl, in ms, is for the modes that have one; nil data is null.
func (c *Client) Create(ctx context.Context, path string, data []byte, acl []protocol.ACL, mode int32, ttl int64) (string, error) {
	checked := path
	if protocol.Sequential(mode) {
		checked += "1"
	}
	if err := CheckPath(checked); err != nil {
		return "", err
	}
	if len(acl) == 0 {
		return "", &Error{protocol.ErrInvalidACL, ""}
	}
	op, body := c.createRequest(path, data, acl, mode, ttl)
	b, err := c.do(ctx, op, body, path, nil)
	if err != nil {
		return "", err
	}
	d := protocol.NewDecoder(b)
	made := d.Path()
	return c.below(made), d.Err()
}

func (c *Client) createRequest(path string, data []byte, acl []protocol.ACL, mode int32, ttl int64) (protocol.OpCode, []byte) {
	req := protocol.CreateTTLRequest{
		CreateRequest: protocol.CreateRequest{Path: c.above(path), Data: data, ACL: acl, Flags: mode},
		TTL:           ttl,
	}
	switch {
	case protocol.HasTTL(mode):
		return protocol.OpCreateTTL, req.Append(nil)
	case mode == protocol.CreateModeContainer:
		return protocol.OpCreateContainer, req.CreateRequest.Append(nil)
	}
	return protocol.OpCreate, req.CreateRequest.Append(nil)
}

// Delete removes a znode that has this version; -1 is any.
func (c *Client) Delete(ctx context.Context, path string, version int32) error {
	if err := CheckPath(path); err != nil {
		return err
	}
	_, err := c.do(ctx, protocol.OpDelete, (&protocol.DeleteRequest{Path: c.above(path), Version: version}).Append(nil), path, nil)
	return err
}

// Exists returns a znode's stat, nil if there is none. A watch waits for its change
// or for its creation.
func (c *Client) Exists(ctx context.Context, path string, watch bool) (*protocol.Stat, error) {
	b, err := c.read1(ctx, protocol.OpExists, path, watch)
	if e, ok := err.(*Error); ok && e.Code == protocol.ErrNoNode {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return decodeStat(b)
}

func decodeStat(b []byte) (*protocol.Stat, error) {
	d := protocol.NewDecoder(b)
	stat := new(protocol.Stat)
	stat.Decode(&d)
	return stat, d.Err()
}

// read1 makes one of the requests that leave a watch.
func (c *Client) read1(ctx context.Context, op protocol.OpCode, path string, watch bool) ([]byte, error) {
	if err := CheckPath(path); err != nil {
		return nil, err
	}
	return c.readAt(ctx, op, c.above(path), path, watch)
}

func (c *Client) readAt(ctx context.Context, op protocol.OpCode, at, path string, watch bool) ([]byte, error) {
	var heard func(protocol.ErrCode)
	if watch {
		heard = func(code protocol.ErrCode) { c.watchLeft(op, at, code) }
	}
	return c.do(ctx, op, (&protocol.PathWatchRequest{Path: at, Watch: watch}).Append(nil), path, heard)
}

// watchLeft keeps the watch that a reply says to be set.
func (c *Client) watchLeft(op protocol.OpCode, at string, code protocol.ErrCode) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case op == protocol.OpExists && code == protocol.ErrNoNode:
		c.watches.exist[at] = true
	case code != protocol.ErrOK:
	case op == protocol.OpGetChildren2:
		c.watches.child[at] = true
	default:
		c.watches.data[at] = true
	}
}

// Get returns a znode's data, nil if they are null, and its stat.
func (c *Client) Get(ctx context.Context, path string, watch bool) ([]byte, *protocol.Stat, error) {
	b, err := c.read1(ctx, protocol.OpGetData, path, watch)
	if err != nil {
		return nil, nil, err
	}
	return decodeData(b)
}

func decodeData(b []byte) ([]byte, *protocol.Stat, error) {
	d := protocol.NewDecoder(b)
	data := d.Buffer()
	stat := new(protocol.Stat)
	stat.Decode(&d)
	return data, stat, d.Err()
}

// configPath is outside every chroot.
const configPath = "/zookeeper/config"

// GetConfig returns the ensemble's configuration.
func (c *Client) GetConfig(ctx context.Context, watch bool) ([]byte, *protocol.Stat, error) {
	b, err := c.readAt(ctx, protocol.OpGetData, configPath, configPath, watch)
	if err != nil {
		return nil, nil, err
	}
	return decodeData(b)
}

// Children returns the names of a znode's children, in no order, and its stat.
func (c *Client) Children(ctx context.Context, path string, watch bool) ([]string, *protocol.Stat, error) {
	b, err := c.read1(ctx, protocol.OpGetChildren2, path, watch)
	if err != nil {
		return nil, nil, err
	}
	d := protocol.NewDecoder(b)
	names := d.Strings()
	stat := new(protocol.Stat)
	stat.Decode(&d)
	return names, stat, d.Err()
}

// Set changes the data of a znode that has this version; -1 is any.
func (c *Client) Set(ctx context.Context, path string, data []byte, version int32) (*protocol.Stat, error) {
	if err := CheckPath(path); err != nil {
		return nil, err
	}
	b, err := c.do(ctx, protocol.OpSetData, (&protocol.SetDataRequest{Path: c.above(path), Data: data, Version: version}).Append(nil), path, nil)
	if err != nil {
		return nil, err
	}
	return decodeStat(b)
}

// GetACL returns a znode's access control list and its stat.
func (c *Client) GetACL(ctx context.Context, path string) ([]protocol.ACL, *protocol.Stat, error) {
	if err := CheckPath(path); err != nil {
		return nil, nil, err
	}
	b, err := c.do(ctx, protocol.OpGetACL, (&protocol.PathRequest{Path: c.above(path)}).Append(nil), path, nil)
	if err != nil {
		return nil, nil, err
	}
	d := protocol.NewDecoder(b)
	acls, _ := protocol.DecodeACLs(&d)
	stat := new(protocol.Stat)
	stat.Decode(&d)
	return acls, stat, d.Err()
}

// SetACL changes the list of a znode whose aclVersion is version; -1 is any.
func (c *Client) SetACL(ctx context.Context, path string, acl []protocol.ACL, version int32) (*protocol.Stat, error) {
	if err := CheckPath(path); err != nil {
		return nil, err
	}
	if len(acl) == 0 {
		return nil, &Error{protocol.ErrInvalidACL, ""}
	}
	b, err := c.do(ctx, protocol.OpSetACL, (&protocol.SetACLRequest{Path: c.above(path), ACL: acl, Version: version}).Append(nil), path, nil)
	if err != nil {
		return nil, err
	}
	return decodeStat(b)
}

// Sync waits until the server has what the leader had committed.
func (c *Client) Sync(ctx context.Context, path string) error {
	if err := CheckPath(path); err != nil {
		return err
	}
	_, err := c.do(ctx, protocol.OpSync, (&protocol.SyncRequest{Path: c.above(path)}).Append(nil), path, nil)
	return err
}

// Ephemerals returns the paths of this session's ephemerals below prefix; as in
// ZooKeeper they are the servers', with the chroot.
func (c *Client) Ephemerals(ctx context.Context, prefix string) ([]string, error) {
	if err := CheckPath(prefix); err != nil {
		return nil, err
	}
	b, err := c.do(ctx, protocol.OpGetEphemerals, (&protocol.PathRequest{Path: c.above(prefix)}).Append(nil), prefix, nil)
	if err != nil {
		return nil, err
	}
	d := protocol.NewDecoder(b)
	paths := d.Strings()
	return paths, d.Err()
}

// AllChildrenNumber returns how many znodes stand below a path, at any depth.
func (c *Client) AllChildrenNumber(ctx context.Context, path string) (int32, error) {
	if err := CheckPath(path); err != nil {
		return 0, err
	}
	b, err := c.do(ctx, protocol.OpGetAllChildrenNumber, (&protocol.PathRequest{Path: c.above(path)}).Append(nil), path, nil)
	if err != nil {
		return 0, err
	}
	d := protocol.NewDecoder(b)
	n := d.Int32()
	return n, d.Err()
}

// WhoAmI returns the identities that the server knows this session by.
func (c *Client) WhoAmI(ctx context.Context) ([]protocol.ID, error) {
	b, err := c.do(ctx, protocol.OpWhoAmI, nil, "", nil)
	if err != nil {
		return nil, err
	}
	d := protocol.NewDecoder(b)
	n := d.Int32()
	var ids []protocol.ID
	for i := int32(0); i < n && d.Err() == nil; i++ {
		var id protocol.ID
		id.Decode(&d)
		ids = append(ids, id)
	}
	return ids, d.Err()
}

// AddAuth adds an identity, to this connection and all that follow, and waits until
// the server has said whether it takes it; not if there is no connection. A server
// that refuses it ends the session, as AuthFailed, in which case this is still nil.
func (c *Client) AddAuth(ctx context.Context, scheme string, auth []byte) error {
	packet := protocol.AuthPacket{Scheme: scheme, Auth: auth}
	c.mu.Lock()
	c.auths = append(c.auths, packet)
	if c.nc == nil {
		c.mu.Unlock()
		return nil
	}
	heard := make(chan struct{})
	c.authing = append(c.authing, heard)
	c.writeLocked(protocol.XidAuth, protocol.OpAuth, packet.Append(nil))
	c.mu.Unlock()
	select {
	case <-heard:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// AddWatch sets a persistent watch; see protocol.AddWatchPersistent.
func (c *Client) AddWatch(ctx context.Context, path string, mode int32) error {
	if err := CheckPath(path); err != nil {
		return err
	}
	at := c.above(path)
	set := c.watches.persistent
	if mode == protocol.AddWatchPersistentRecursive {
		set = c.watches.recursive
	}
	_, err := c.do(ctx, protocol.OpAddWatch, (&protocol.AddWatchRequest{Path: at, Mode: mode}).Append(nil), path, func(code protocol.ErrCode) {
		if code == protocol.ErrOK {
			c.mu.Lock()
			set[at] = true
			c.mu.Unlock()
		}
	})
	return err
}

// RemoveWatches takes away all watches of a type (protocol.WatcherTypeAny and so
// on) from a path, and tells that as events. With local that is done without a
// server, too.
func (c *Client) RemoveWatches(ctx context.Context, path string, watcherType int32, local bool) error {
	if err := CheckPath(path); err != nil {
		return err
	}
	at := c.above(path)
	c.mu.Lock()
	has := c.watches.has(at, watcherType)
	c.mu.Unlock()
	if !has {
		return &Error{protocol.ErrNoWatcher, path}
	}
	_, err := c.do(ctx, protocol.OpRemoveWatches, (&protocol.WatchesRequest{Path: at, Type: watcherType}).Append(nil), path, func(code protocol.ErrCode) {
		if code != protocol.ErrOK && !local {
			return
		}
		c.mu.Lock()
		removed := c.watches.remove(at, watcherType)
		c.mu.Unlock()
		for _, name := range removed {
			c.cfg.OnEvent(Event{State: "SyncConnected", Type: name, Path: path, Zxid: -1})
		}
	})
	var refused *Error
	if local && errors.As(err, &refused) && refused.Code != protocol.ErrRequestTimeout {
		return nil // they are gone here
	}
	return err
}

// reconfigRequest is protocol.ReconfigRequest with lists that may be null.
type reconfigRequest struct {
	joining, leaving, members *string
	version                   int64
}

func (r *reconfigRequest) append(b []byte) []byte {
	for _, list := range []*string{r.joining, r.leaving, r.members} {
		if list == nil {
			b = protocol.AppendInt32(b, -1)
		} else {
			b = protocol.AppendString(b, *list)
		}
	}
	return protocol.AppendInt64(b, r.version)
}

// Reconfig changes the ensemble's members and returns the configuration that this
// gave. A nil list is none; version is the one to build on, -1 is any.
func (c *Client) Reconfig(ctx context.Context, joining, leaving, members *string, version int64) ([]byte, *protocol.Stat, error) {
	req := reconfigRequest{joining, leaving, members, version}
	b, err := c.do(ctx, protocol.OpReconfig, req.append(nil), "", nil)
	if err != nil {
		return nil, nil, err
	}
	return decodeData(b)
}
