package client

import (
	"errors"
	"fmt"

	"zooraft/protocol"
)

// Error is a request that was refused, by a server or on the way to it.
type Error struct {
	Code protocol.ErrCode
	Path string // as the caller gave it; "" if the request has none
}

// Error returns the text that ZooKeeper's client gives (KeeperException.java).
func (e *Error) Error() string {
	if e.Path == "" {
		return "KeeperErrorCode = " + codeText(e.Code)
	}
	return "KeeperErrorCode = " + codeText(e.Code) + " for " + e.Path
}

// Unwrap gives the code, for errors.Is.
func (e *Error) Unwrap() error { return e.Code }

// codeText names a code as KeeperException.getCodeMessage does: mostly, but not
// always, by its name.
func codeText(code protocol.ErrCode) string {
	switch code {
	case protocol.ErrMarshalling:
		return "MarshallingError"
	case protocol.ErrNotEmpty:
		return "Directory not empty"
	case protocol.ErrSessionExpired:
		return "Session expired"
	case protocol.ErrSessionMoved:
		return "Session moved"
	case protocol.ErrNotReadOnly:
		return "Not a read-only call"
	case protocol.ErrEphemeralOnLocalSession:
		return "Ephemeral node on local session"
	case protocol.ErrNoWatcher:
		return "No such watcher"
	case protocol.ErrReconfigDisabled:
		return "Reconfig is disabled"
	case protocol.ErrSessionClosedRequireAuth:
		return "Session closed because client failed to authenticate"
	case protocol.ErrQuotaExceeded:
		return "Quota has exceeded"
	case protocol.ErrThrottledOp:
		return "Op throttled due to high load"
	}
	return code.Name()
}

// ErrLogin is why a session is AuthFailed whose login the server, or the mechanism, or
// who gives tickets for it, will not have: see Client.Failure.
var ErrLogin = errors.New("login by SASL")

var (
	errMalformed = errors.New("malformed reply")
	errRefused   = fmt.Errorf("the session is refused: %w", protocol.ErrSessionExpired)
	errAuth      = fmt.Errorf("an identity is refused: %w", protocol.ErrAuthFailed)
	errReadOnly  = errors.New("the server is read-only")
)
