package protocol

import "strconv"

// ErrCode is the err field of a reply header, and of results inside a multi
// (org.apache.zookeeper.KeeperException.Code). It is an error, so that layers
// below the wire can return it; ErrOK is a code too and must not be returned as
// an error, since it is not nil.
type ErrCode int32

// The error codes. Those marked "client side" stand here for completeness and
// never travel; Java clients throw on a number that is not in this list.
const (
	ErrOK ErrCode = 0

	ErrSystemError          ErrCode = -1 // no room on the disks; ZooKeeper never sends it
	ErrRuntimeInconsistency ErrCode = -2 // multi results after the failing one
	ErrDataInconsistency    ErrCode = -3 // never sent
	ErrConnectionLoss       ErrCode = -4 // client side
	ErrMarshalling          ErrCode = -5 // body does not decode
	ErrUnimplemented        ErrCode = -6 // unknown or disabled operation
	ErrOperationTimeout     ErrCode = -7 // client side
	ErrBadArguments         ErrCode = -8 // bad path, flags, TTL or reconfig
	ErrUnknownSession       ErrCode = -12
	ErrNewConfigNoQuorum    ErrCode = -13
	ErrReconfigInProgress   ErrCode = -14

	ErrAPIError                 ErrCode = -100 // range marker, never sent
	ErrNoNode                   ErrCode = -101
	ErrNoAuth                   ErrCode = -102
	ErrBadVersion               ErrCode = -103
	ErrNoChildrenForEphemerals  ErrCode = -108
	ErrNodeExists               ErrCode = -110
	ErrNotEmpty                 ErrCode = -111
	ErrSessionExpired           ErrCode = -112
	ErrInvalidCallback          ErrCode = -113 // never sent
	ErrInvalidACL               ErrCode = -114
	ErrAuthFailed               ErrCode = -115 // the connection is closed after it
	ErrSessionMoved             ErrCode = -118 // never sent: the connection is closed instead
	ErrNotReadOnly              ErrCode = -119 // write on a read-only server
	ErrEphemeralOnLocalSession  ErrCode = -120
	ErrNoWatcher                ErrCode = -121
	ErrRequestTimeout           ErrCode = -122 // client side
	ErrReconfigDisabled         ErrCode = -123
	ErrSessionClosedRequireAuth ErrCode = -124 // enforced authentication missing; the connection is closed after it
	ErrQuotaExceeded            ErrCode = -125
	ErrThrottledOp              ErrCode = -127
)

// Name returns the code's name as ZooKeeper's documentation spells it
// ("NoNode"), or the bare number of an unknown code.
func (e ErrCode) Name() string {
	switch e {
	case ErrOK:
		return "Ok"
	case ErrSystemError:
		return "SystemError"
	case ErrRuntimeInconsistency:
		return "RuntimeInconsistency"
	case ErrDataInconsistency:
		return "DataInconsistency"
	case ErrConnectionLoss:
		return "ConnectionLoss"
	case ErrMarshalling:
		return "MarshallingError"
	case ErrUnimplemented:
		return "Unimplemented"
	case ErrOperationTimeout:
		return "OperationTimeout"
	case ErrBadArguments:
		return "BadArguments"
	case ErrUnknownSession:
		return "UnknownSession"
	case ErrNewConfigNoQuorum:
		return "NewConfigNoQuorum"
	case ErrReconfigInProgress:
		return "ReconfigInProgress"
	case ErrAPIError:
		return "APIError"
	case ErrNoNode:
		return "NoNode"
	case ErrNoAuth:
		return "NoAuth"
	case ErrBadVersion:
		return "BadVersion"
	case ErrNoChildrenForEphemerals:
		return "NoChildrenForEphemerals"
	case ErrNodeExists:
		return "NodeExists"
	case ErrNotEmpty:
		return "NotEmpty"
	case ErrSessionExpired:
		return "SessionExpired"
	case ErrInvalidCallback:
		return "InvalidCallback"
	case ErrInvalidACL:
		return "InvalidACL"
	case ErrAuthFailed:
		return "AuthFailed"
	case ErrSessionMoved:
		return "SessionMoved"
	case ErrNotReadOnly:
		return "NotReadOnly"
	case ErrEphemeralOnLocalSession:
		return "EphemeralOnLocalSession"
	case ErrNoWatcher:
		return "NoWatcher"
	case ErrRequestTimeout:
		return "RequestTimeout"
	case ErrReconfigDisabled:
		return "ReconfigDisabled"
	case ErrSessionClosedRequireAuth:
		return "SessionClosedRequireSaslAuth"
	case ErrQuotaExceeded:
		return "QuotaExceeded"
	case ErrThrottledOp:
		return "ThrottledOp"
	}
	return strconv.Itoa(int(e))
}

// Error returns the name and the number: "zookeeper: NoNode (-101)".
func (e ErrCode) Error() string {
	return "zookeeper: " + e.Name() + " (" + strconv.Itoa(int(e)) + ")"
}
