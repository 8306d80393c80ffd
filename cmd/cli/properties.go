package cli

import (
	"fmt"
	"os"
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
	login          *login      // nil for none
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

// boolean returns what a switch says, or otherwise if it says nothing. Java takes all
// but true for false, and with that protection away; here it is an error.
func (props properties) boolean(key string, otherwise bool) (bool, error) {
	p := props[key]
	switch strings.ToLower(p.value) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "":
		return otherwise, nil
	}
	return otherwise, fmt.Errorf("%s: %s=%s: give true or false", p.where, key, p.value)
}

// read takes what this client knows. What would change who is talked to, or how
// secretly, or who this client is, and is not there, is refused; what it does not know
// is of no concern here, such as ZooKeeper's choice of a socket, which TLS does not
// depend on.
func (c *configured) read(environment []Property, path string) error {
	props, err := gather(environment, path)
	if err != nil {
		return err
	}
	if c.tls, err = props.tls(); err != nil {
		return err
	}
	if c.login, err = props.login(); err != nil {
		return err
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
