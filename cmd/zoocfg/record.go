package zoocfg

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"zooraft/zabcompat"
)

// Record writes a membership beside the zoo.cfg at path, as ZooKeeper does with
// reconfigEnabled (QuorumPeer.setQuorumVerifier): the server lines go into
// zoo.cfg.dynamic.VERSION, and zoo.cfg is written anew to name that file instead
// of them. The first time it is kept as zoo.cfg.bak before. Older dynamic files
// are left alone. sid is this server's id: once its line has a client part,
// clientPort and clientPortAddress leave zoo.cfg.
//
// The files are ZooKeeper's byte for byte, but for two things in zoo.cfg: its
// keys keep their order, and what must be escaped is. Each file is replaced as a
// whole or not at all. What is written already is not written again.
func Record(path string, sid int, m zabcompat.Membership) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("record the membership: %w", err)
	}
	dynamic, err := dynamicPath(path, m.Version)
	if err != nil {
		return fmt.Errorf("record the membership: %w", err)
	}
	props := zabcompat.ParseProperties(data)
	if err := replaceFile(dynamic, dynamicText(m), publicMode); err != nil {
		return fmt.Errorf("record the membership: %w", err)
	}
	if !slices.ContainsFunc(props, func(p zabcompat.Property) bool { return isKey(p, "dynamicConfigFile") }) {
		if err := replaceFile(path+".bak", data, modeOf(path)); err != nil {
			return fmt.Errorf("keep the configuration as it was: %w", err)
		}
	}
	self, _ := m.Server(int64(sid))
	if err := replaceFile(path, staticText(props, dynamic, self.ClientPort != 0), publicMode); err != nil {
		return fmt.Errorf("name the file of the membership: %w", err)
	}
	return nil
}

// RecordAside writes the server lines of a membership alone, into a directory that
// is not that of the zoo.cfg at path, as zoo.cfg.dynamic.VERSION: for a configuration
// that may not be written, as a container's. It returns the name of the file.
func RecordAside(dir, path string, m zabcompat.Membership) (string, error) {
	file, err := dynamicPath(filepath.Join(dir, filepath.Base(path)), m.Version)
	if err == nil {
		err = replaceFile(file, dynamicText(m), publicMode)
	}
	if err != nil {
		return "", fmt.Errorf("record the membership: %w", err)
	}
	return file, nil
}

// dynamicPath is where the server lines of a version go. It is absolute, and
// named as Java's getCanonicalPath does.
func dynamicPath(path string, version int64) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, filepath.Base(abs)+".dynamic."+strconv.FormatUint(uint64(version), 16)), nil
}

// dynamicText has the server lines in the order of their text, so that 10 comes
// before 1, and no version: that is in the file's name.
func dynamicText(m zabcompat.Membership) []byte {
	lines := make([]string, 0, len(m.Servers))
	for _, s := range m.Servers {
		lines = append(lines, fmt.Sprintf("server.%d=%s", s.ID, s))
	}
	slices.Sort(lines)
	return []byte(strings.Join(lines, "\n"))
}

// staticText is a zoo.cfg without what stands in the dynamic file. Of a key that
// is set twice the last one counts, and is kept.
func staticText(props []zabcompat.Property, dynamic string, clientElsewhere bool) []byte {
	last := make(map[string]int)
	for i, p := range props {
		last[strings.TrimSpace(p.Key)] = i
	}
	var b bytes.Buffer
	for i, p := range props {
		key := strings.TrimSpace(p.Key)
		switch {
		case last[key] != i, p.Err != nil,
			isMembership(strings.TrimPrefix(key, prefix)), isKey(p, "dynamicConfigFile"), isKey(p, "peerType"),
			clientElsewhere && (isKey(p, "clientPort") || isKey(p, "clientPortAddress")):
			continue
		}
		fmt.Fprintf(&b, "%s=%s\n", escape(key, true), escape(p.Value, false))
	}
	fmt.Fprintf(&b, "dynamicConfigFile=%s\n", escape(dynamic, false))
	return b.Bytes()
}

func isKey(p zabcompat.Property, key string) bool {
	return strings.TrimPrefix(strings.TrimSpace(p.Key), prefix) == key
}

// escape writes what ParseProperties would take for something else.
func escape(s string, key bool) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '\\', key && (r == '=' || r == ':' || r == ' '), key && i == 0 && (r == '#' || r == '!'):
			b.WriteString(`\` + string(r))
		case r == ' ' && i == 0:
			b.WriteString(`\ `)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\f':
			b.WriteString(`\f`)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// publicMode is that of a new file that holds no secret: as ZooKeeper's, all may read it.
const publicMode = fs.FileMode(0o644)

// modeOf is who may read a file, for a copy of it.
func modeOf(path string) fs.FileMode {
	info, err := os.Stat(path)
	if err != nil {
		return 0o600
	}
	return info.Mode().Perm()
}

// replaceFile makes the file at path hold data, durably, or leaves it as it was.
// mode is that of a new file; one that is there keeps its own.
func replaceFile(path string, data []byte, mode fs.FileMode) (err error) {
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
			return nil
		}
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil // it is there, if not for sure after a crash
	}
	defer d.Close()
	d.Sync()
	return nil
}
