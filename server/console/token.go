package console

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// Bounds of a token in bytes.
const (
	minToken = 16
	maxToken = 1024
)

// readToken reads the token that a file holds, without the white space around it.
// Others than the file's owner and group must not be able to read it, nor the group
// to write it: a mounted secret of Kubernetes is the group's to read.
func readToken(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if mode := info.Mode(); !mode.IsRegular() || mode.Perm()&0o027 != 0 {
		return "", fmt.Errorf("token file %s has mode %v: take the rights of others, and the group's to write, away (chmod 600)", path, mode)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(b))
	if len(token) < minToken || len(token) > maxToken {
		return "", fmt.Errorf("token file %s: the token has %d bytes; give %d to %d", path, len(token), minToken, maxToken)
	}
	return token, nil
}

// CheckToken says what is wrong with a token file, or nil.
func CheckToken(path string) error {
	_, err := readToken(path)
	return err
}
