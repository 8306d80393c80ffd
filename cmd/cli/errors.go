package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"zooraft/cmd/client"
	"zooraft/cmd/kerberos"
	"zooraft/protocol"
)

// Exit codes of ZooKeeperMain.
const (
	exitOK       = 0
	exitFailed   = 1
	exitInvalid  = 2
	exitNotFound = 127 // no such command
)

// failure is a command's end with a text and an exit code of its own.
type failure struct {
	text string
	code int
}

func (f *failure) Error() string { return f.text }

func failed(format string, args ...any) error {
	return &failure{fmt.Sprintf(format, args...), exitFailed}
}

var errInterrupted = &failure{"interrupted", 130}

// errorText is what is said of an error: zkCli's text (CliWrapperException).
func errorText(err error) string {
	var refused *client.Error
	if !errors.As(err, &refused) {
		if errors.Is(err, context.Canceled) {
			return errInterrupted.text
		}
		return err.Error()
	}
	path := refused.Path
	if path == "" && refused.Code == protocol.ErrInvalidACL {
		path = "null" // found before it was sent; reconfig's is empty
	}
	switch refused.Code {
	case protocol.ErrNoNode:
		return "Node does not exist: " + path
	case protocol.ErrNoChildrenForEphemerals:
		return "Ephemerals cannot have children: " + path
	case protocol.ErrNodeExists:
		return "Node already exists: " + path
	case protocol.ErrNotEmpty:
		return "Node not empty: " + path
	case protocol.ErrNotReadOnly:
		return "Not a read-only call: " + path
	case protocol.ErrInvalidACL:
		return "Acl is not valid : " + path
	case protocol.ErrNoAuth:
		return "Insufficient permission : " + path
	case protocol.ErrBadArguments:
		return "Arguments are not valid : " + path
	case protocol.ErrBadVersion:
		return "version No is not valid : " + path
	case protocol.ErrReconfigInProgress:
		return "Another reconfiguration is in progress -- concurrent reconfigs not supported (yet)"
	case protocol.ErrNewConfigNoQuorum:
		// With ZooKeeper's spelling.
		return "No quorum of new config is connected and up-to-date with the leader of last commmitted config - try invoking reconfiguration after new servers are connected and synced"
	case protocol.ErrQuotaExceeded:
		return "Quota has exceeded : " + path
	}
	return refused.Error()
}

func errorCode(err error) int {
	var f *failure
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &f):
		return f.code
	case errors.Is(err, context.Canceled):
		return errInterrupted.code
	}
	return exitFailed
}

// unreached says why no server could be reached or takes this client, if a request was
// lost for that; else "".
func (sh *shell) unreached(err error) string {
	if errors.Is(err, protocol.ErrAuthFailed) {
		return sh.unknown()
	}
	if !errors.Is(err, protocol.ErrConnectionLoss) || sh.zk == nil {
		return ""
	}
	text, port := "no server of "+sh.host+" answers: ", "client port"
	if sh.secure != nil {
		port = "secureClientPort"
	}
	var dns *net.DNSError
	switch why := sh.zk.Failure(); {
	case why == nil:
		return ""
	case errors.Is(why, kerberos.ErrNoCenter):
		return "no login to " + sh.host + ": " + why.Error() + "; check the realm's kdc in krb5.conf"
	case errors.As(why, &dns):
		return text + "the name " + dns.Name + " is not known; check -server"
	case untrusted(why):
		return text + why.Error() + "; the certificate has to name the host as -server does, and to come from an authority in " + keySSL + "trustStore.location"
	case errors.Is(why, io.EOF), errors.Is(why, syscall.ECONNRESET):
		return text + why.Error() + ": it hangs up; has it a quorum, and is this its " + port + "?"
	default:
		return text + why.Error() + "; is it running, and is this its " + port + "?"
	}
}

// unknown says why the servers do not take this client's login; "" if they do.
func (sh *shell) unknown() string {
	if sh.zk == nil || !errors.Is(sh.zk.Failure(), client.ErrLogin) {
		return ""
	}
	return sh.zk.Failure().Error() + "; see the section " + sh.configured.login.section + " of " + sh.configured.login.file
}

// untrusted reports whether a server's certificate was not taken.
func untrusted(err error) bool {
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &name) || errors.As(err, &authority) || errors.As(err, &invalid)
}

// advice says what to do about an error next, for a person; "" if there is
// nothing that the text does not say.
func (sh *shell) advice(err error) string {
	var refused *client.Error
	if !errors.As(err, &refused) {
		return ""
	}
	switch refused.Code {
	case protocol.ErrConnectionLoss:
		return "the connection broke; a change may or may not have been made: look before you repeat it"
	case protocol.ErrNoAuth:
		return "see who may with: getAcl " + refused.Path + "; identify yourself with: addauth digest USER:PASSWORD"
	case protocol.ErrNotEmpty:
		return "delete it with its children by: deleteall " + refused.Path
	case protocol.ErrBadVersion:
		return "somebody has changed it; see its dataVersion with: stat " + refused.Path
	case protocol.ErrNoNode:
		return sh.whereFrom(refused.Path)
	case protocol.ErrNodeExists:
		return "see it with: get " + refused.Path
	case protocol.ErrReconfigDisabled:
		return "the servers need reconfigEnabled=true"
	case protocol.ErrSessionExpired:
		return "open a new session with: connect"
	case protocol.ErrQuotaExceeded:
		return "see the limits with: listquota"
	}
	return ""
}

// whereFrom says how far a path that leads to nothing does lead.
func (sh *shell) whereFrom(path string) string {
	ctx, cancel := context.WithTimeout(context.Background(), completionTimeout)
	defer cancel()
	for missing := path; ; {
		parent := client.Parent(missing)
		if parent == "" {
			return ""
		}
		stat, err := sh.zk.Exists(ctx, parent, false)
		switch {
		case err != nil:
			return ""
		case stat == nil:
			missing = parent
		case missing == path:
			return "see what is there with: ls " + parent
		default:
			return "there is no " + missing + "; see what is there with: ls " + parent
		}
	}
}
