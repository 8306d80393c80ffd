package cli

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"zooraft/server"
	"zooraft/zabcompat"
)

// configured is what properties say that this client knows: those of a
// -client-configuration file and those of the environment.
type configured struct {
	requestTimeout time.Duration
	maxReplyBytes  int
	tls            *server.TLS // nil for plain text
}

// properties are what was said last of each.
type properties map[string]said

// said is the last word on a property.
type said struct {
	value, where string
	inFile       bool // the one of -client-configuration
}

const (
	keyRequestTimeout = "zookeeper.request.timeout"
	keyMaxBuffer      = "jute.maxbuffer"
	keySASL           = "zookeeper.sasl.client"
	keySASLSection    = "zookeeper.sasl.clientconfig"
	keyLoginFile      = "java.security.auth.login.config"
)

// gather takes the environment's properties and then, with a path, a file's.
func gather(environment []Property, path string) (properties, error) {
	props := properties{}
	for _, p := range environment {
		key, value, _ := strings.Cut(p.Text, "=")
		props[key] = said{strings.TrimSpace(value), p.Where, false}
	}
	if path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		for _, p := range zabcompat.ParseProperties(data) {
			if p.Err != nil {
				return nil, fmt.Errorf("%s: line %d: %w", path, p.Line, p.Err)
			}
			props[strings.TrimSpace(p.Key)] = said{strings.TrimSpace(p.Value), path, true}
		}
	}
	return props, nil
}

// read takes what this client knows. What would change who is talked to, or how
// secretly, and is not there yet, is refused; what it does not know is of no concern
// here, such as ZooKeeper's choice of a socket, which TLS does not depend on.
func (c *configured) read(environment []Property, path string) error {
	props, err := gather(environment, path)
	if err != nil {
		return err
	}
	if c.tls, err = props.tls(); err != nil {
		return err
	}
	if key := asksForSASL(props); key != "" {
		return fmt.Errorf("%s: %s: this client has no SASL yet; identify yourself with addauth digest, or set %s=false", props[key].where, key, keySASL)
	}
	if p, ok := props[keyRequestTimeout]; ok {
		ms, err := strconv.Atoi(p.value)
		if err != nil {
			return fmt.Errorf("%s: %s=%s is no number of milliseconds", p.where, keyRequestTimeout, p.value)
		}
		c.requestTimeout = time.Duration(ms) * time.Millisecond
	}
	if p, ok := props[keyMaxBuffer]; ok {
		n, err := strconv.ParseInt(p.value, 0, 32)
		if err != nil {
			return fmt.Errorf("%s: %s=%s is no number of bytes", p.where, keyMaxBuffer, p.value)
		}
		c.maxReplyBytes = int(n)
	}
	return nil
}

// asksForSASL returns the property that has a client identify itself by SASL, or "". A
// file that was written for this client means what it says. The environment may be a
// server's: as ZooKeeper's client does (ZooKeeperSaslClient), one goes on without if
// the login file has nothing for clients.
func asksForSASL(props properties) string {
	if strings.EqualFold(props[keySASL].value, "false") {
		return ""
	}
	section, named := props[keySASLSection]
	login := props[keyLoginFile]
	switch {
	case section.inFile:
		return keySASLSection
	case login.inFile:
		return keyLoginFile
	case !named:
		section.value = "Client"
	}
	// A second = makes it the only login file there is; it may be a URL.
	path := strings.TrimPrefix(strings.TrimPrefix(login.value, "="), "file:")
	if text, err := os.ReadFile(path); err == nil && hasSection(string(text), section.value) {
		return keyLoginFile
	}
	return ""
}

// hasSection reports whether a login file has a section: a name, quoted or not, and
// braces (javax.security.auth.login.Configuration).
func hasSection(text, name string) bool {
	token := regexp.MustCompile(`(?s)//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"|[^\s;{}="/]+|[{}]`)
	depth, last := 0, ""
	for _, t := range token.FindAllString(text, -1) {
		switch {
		case t == "{":
			if depth == 0 && last == name {
				return true
			}
			depth++
		case t == "}":
			depth--
		case t[0] != '/':
			last = strings.Trim(t, `"`)
		}
	}
	return false
}
