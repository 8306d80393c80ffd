package cli

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"zooraft/cmd/client"
)

// errDiffer ends diff with an exit code only, as diff(1) does.
var errDiffer = &failure{"", exitFailed}

// cmdDiff compares a subtree with that of another server: which znodes are there,
// their data and their ACLs.
func (sh *shell) cmdDiff(ctx context.Context, p *parsed) error {
	root := "/"
	if len(p.args) > 2 {
		root = p.args[2]
	}
	other, err := client.New(client.Config{Servers: p.args[1], Timeout: sh.inv.timeout, ReadOnly: sh.inv.readOnly, Secure: sh.secure, Login: sh.configured.beginLogin()})
	if err != nil {
		return failed("%s: %v", p.args[1], err)
	}
	defer other.Close()
	if err := other.Await(ctx, true); err != nil {
		return failed("%s: %v", p.args[1], err)
	}
	if err := sh.identify(ctx, other); err != nil {
		return failed("%s: %s", p.args[1], errorText(err))
	}
	// A subtree that one of them lacks is a difference, too.
	here, err := sh.load(ctx, sh.zk, root, what{data: true, acl: true})
	if ignoreNoNode(err) != nil {
		return err
	}
	there, otherErr := sh.load(ctx, other, root, what{data: true, acl: true})
	if ignoreNoNode(otherErr) != nil {
		return failed("%s: %s", p.args[1], errorText(otherErr))
	}
	if err != nil && otherErr != nil {
		return err
	}
	diffs, unknown := compare(here, there)
	err = sh.report(diffs)
	if len(unknown) > 0 {
		return failed("%s", listed(unknown))
	}
	return err
}

// difference is something that two servers do not have alike.
type difference struct {
	Path     string   `json:"path"`
	Kind     string   `json:"kind"` // here, there, data, acl
	Here     int      `json:"hereBytes"`
	There    int      `json:"thereBytes"`
	HereACL  []string `json:"hereACL,omitempty"` // of the kind acl
	ThereACL []string `json:"thereACL,omitempty"`
}

// compare returns what differs, and a text for each ACL that could not be compared.
func compare(here, there []znode) (diffs []difference, unknown []string) {
	left := map[string]*znode{}
	for i := range here {
		left[here[i].path] = &here[i]
	}
	diffs = []difference{}
	for i := range there {
		b := &there[i]
		a := left[b.path]
		delete(left, b.path)
		if a == nil {
			diffs = append(diffs, difference{Path: b.path, Kind: "there", There: len(b.data)})
			continue
		}
		if !bytes.Equal(a.data, b.data) { // null is as good as empty
			diffs = append(diffs, difference{Path: b.path, Kind: "data", Here: len(a.data), There: len(b.data)})
		}
		switch hidden := slices.ContainsFunc(a.acl, masked) || slices.ContainsFunc(b.acl, masked); {
		case hidden && sameACL(mask(a.acl), mask(b.acl)):
			unknown = append(unknown, b.path+": the ACLs cannot be compared, for they are masked; addauth as somebody who has permission a on it, or as super user, on both servers")
		case !hidden && !sameACL(a.acl, b.acl), hidden:
			diffs = append(diffs, difference{Path: b.path, Kind: "acl", Here: len(a.data), There: len(b.data), HereACL: aclTexts(a.acl), ThereACL: aclTexts(b.acl)})
		}
	}
	for path, a := range left {
		diffs = append(diffs, difference{Path: path, Kind: "here", Here: len(a.data)})
	}
	slices.SortStableFunc(diffs, func(a, b difference) int { return bytes.Compare([]byte(a.Path), []byte(b.Path)) })
	return diffs, unknown
}

func (sh *shell) report(diffs []difference) error {
	if sh.inv.json {
		if err := sh.emit(diffs); err != nil {
			return err
		}
	} else {
		for _, d := range diffs {
			text := ""
			switch d.Kind {
			case "here":
				text = "- " + d.Path
			case "there":
				text = "+ " + d.Path
			case "acl":
				text = fmt.Sprintf("~ %s  ACL %s here, %s there", d.Path, strings.Join(d.HereACL, ","), strings.Join(d.ThereACL, ","))
			default:
				text = fmt.Sprintf("~ %s  %d bytes here, %d there", d.Path, d.Here, d.There)
			}
			if sh.colour {
				text = map[string]func(string) string{"here": red, "there": green, "data": yellow, "acl": yellow}[d.Kind](text)
			}
			fmt.Fprintln(sh.out, text)
		}
	}
	if len(diffs) > 0 {
		return errDiffer
	}
	return nil
}
