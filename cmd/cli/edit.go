package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"zooraft/cmd/client"
	"zooraft/protocol"
)

// cmdEdit lets a person change a znode's data in their editor. What somebody else
// has changed meanwhile is not overwritten.
func (sh *shell) cmdEdit(ctx context.Context, p *parsed) error {
	path := p.args[1]
	data, stat, err := sh.zk.Get(ctx, path, false)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "zooraft-edit-")
	if err != nil {
		return err
	}
	// Its name lets an editor know the syntax; of /app/config.json, that.
	name := filepath.Join(dir, "znode-"+filepath.Base(path))
	if err := os.WriteFile(name, data, 0o600); err != nil {
		return err
	}
	sh.out.Flush()
	edited, err := sh.edit(name)
	if err != nil {
		os.RemoveAll(dir)
		return err
	}
	// Editors end the last line; data that had no end of line get none.
	if !bytes.HasSuffix(data, []byte("\n")) {
		edited = bytes.TrimSuffix(edited, []byte("\n"))
	}
	if bytes.Equal(edited, data) {
		fmt.Fprintln(sh.err, path+" is left as it was")
		return os.RemoveAll(dir)
	}
	_, err = sh.zk.Set(ctx, path, edited, stat.Version)
	var refused *client.Error
	if errors.As(err, &refused) && refused.Code == protocol.ErrBadVersion {
		return failed("%s was changed meanwhile by somebody else and is not overwritten; your text is in %s", path, name)
	}
	if err != nil {
		return failed("%s; your text is in %s", errorText(err), name)
	}
	fmt.Fprintf(sh.err, "Changed %s, now at version %d\n", path, stat.Version+1)
	return os.RemoveAll(dir)
}

// edit runs the editor on a file and returns what is in it then.
func (sh *shell) edit(name string) ([]byte, error) {
	editor := os.Getenv("VISUAL")
	if editor == "" {
		editor = os.Getenv("EDITOR")
	}
	if editor == "" {
		editor = "vi"
	}
	words := strings.Fields(editor)
	cmd := exec.Command(words[0], append(words[1:], name)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = sh.Stdin, sh.Stdout, sh.Stderr
	if err := cmd.Run(); err != nil {
		return nil, failed("editor %s: %v; set $EDITOR to another", editor, err)
	}
	return os.ReadFile(name)
}
