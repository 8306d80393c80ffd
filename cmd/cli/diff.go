package cli

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"zooraft/cmd/client"
)

// errDiffer ends diff with an exit code only, as diff(1) does.
var errDiffer = &failure{"", exitFailed}

// cmdDiff compares a subtree with that of another server: which znodes are there,
// and their data.
func (sh *shell) cmdDiff(ctx context.Context, p *parsed) error {
	root := "/"
	if len(p.args) > 2 {
		root = p.args[2]
	}
	other, err := client.New(client.Config{Servers: p.args[1], Timeout: sh.inv.timeout, ReadOnly: sh.inv.readOnly})
	if err != nil {
		return failed("%s: %v", p.args[1], err)
	}
	defer other.Close()
	if err := other.Await(ctx, true); err != nil {
		return failed("%s: %v", p.args[1], err)
	}
	// A subtree that one of them lacks is a difference, too.
	here, err := sh.load(ctx, sh.zk, root, what{data: true})
	if ignoreNoNode(err) != nil {
		return err
	}
	there, otherErr := sh.load(ctx, other, root, what{data: true})
	if ignoreNoNode(otherErr) != nil {
		return failed("%s: %s", p.args[1], errorText(otherErr))
	}
	if err != nil && otherErr != nil {
		return err
	}
	return sh.report(compare(here, there))
}

// difference is a znode that two servers do not have alike.
type difference struct {
	Path  string `json:"path"`
	Kind  string `json:"kind"` // here, there, data
	Here  int    `json:"hereBytes"`
	There int    `json:"thereBytes"`
}

func compare(here, there []znode) []difference {
	left := map[string]*znode{}
	for i := range here {
		left[here[i].path] = &here[i]
	}
	diffs := []difference{}
	for i := range there {
		b := &there[i]
		a := left[b.path]
		delete(left, b.path)
		switch {
		case a == nil:
			diffs = append(diffs, difference{b.path, "there", 0, len(b.data)})
		case !bytes.Equal(a.data, b.data): // null is as good as empty
			diffs = append(diffs, difference{b.path, "data", len(a.data), len(b.data)})
		}
	}
	for path, a := range left {
		diffs = append(diffs, difference{path, "here", len(a.data), 0})
	}
	slices.SortFunc(diffs, func(a, b difference) int { return bytes.Compare([]byte(a.Path), []byte(b.Path)) })
	return diffs
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
			default:
				text = fmt.Sprintf("~ %s  %d bytes here, %d there", d.Path, d.Here, d.There)
			}
			if sh.colour {
				text = map[string]func(string) string{"here": red, "there": green, "data": yellow}[d.Kind](text)
			}
			fmt.Fprintln(sh.out, text)
		}
	}
	if len(diffs) > 0 {
		return errDiffer
	}
	return nil
}
