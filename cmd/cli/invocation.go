package cli

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// invocation is what the arguments say, with ZooKeeperMain's defaults.
type invocation struct {
	server       string
	timeout      time.Duration
	readOnly     bool
	wait         bool
	json         bool
	yes          bool
	help         bool
	clientConfig string
	words        []string // the command, if there is one
}

const (
	defaultServer    = "localhost:2181"
	defaultTimeoutMs = 30000
)

// parseInvocation reads options up to the first word that is none; as in
// ZooKeeperMain, an option that is not known is passed over. Two dashes are as
// good as one.
func parseInvocation(args []string, complain io.Writer) (inv invocation, err error) {
	inv = invocation{server: defaultServer, timeout: defaultTimeoutMs * time.Millisecond}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if !strings.HasPrefix(arg, "-") {
			inv.words = args[i:]
			return inv, nil
		}
		name, value, joined := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch name {
		case "server", "timeout", "client-configuration":
			if !joined {
				if i++; i == len(args) {
					fmt.Fprintln(complain, "Error: no argument found for option "+arg)
					return inv, nil
				}
				value = args[i]
			}
		}
		switch name {
		case "server":
			inv.server = value
		case "timeout":
			ms, err := strconv.Atoi(value)
			if err != nil || ms < 0 {
				return inv, &failure{fmt.Sprintf("-timeout %s: it is a number of milliseconds", value), exitInvalid}
			}
			inv.timeout = time.Duration(ms) * time.Millisecond
		case "client-configuration":
			inv.clientConfig = value
		case "r":
			inv.readOnly = true
		case "waitforconnection":
			inv.wait = true
		case "json":
			inv.json = true
		case "y", "yes":
			inv.yes = true
		case "h", "help":
			inv.help = true
		}
	}
	return inv, nil
}

// configured is what properties say that this client knows: those of a
// -client-configuration file and those of the environment.
type configured struct {
	requestTimeout time.Duration
	maxReplyBytes  int
}

// readClientConfig reads a properties file.
func (c *configured) readClientConfig(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		if err := c.take(path, strings.TrimSpace(key), strings.TrimSpace(value)); err != nil {
			return err
		}
	}
	return lines.Err()
}

// take takes a property. What would change who is talked to, or how secretly, and is
// not there yet, is refused; the rest is of no concern here.
func (c *configured) take(where, key, value string) error {
	switch {
	case key == "zookeeper.client.secure" && strings.EqualFold(value, "true"),
		key == "zookeeper.clientCnxnSocket" && strings.HasSuffix(value, "Netty"):
		return fmt.Errorf("%s: %s=%s: this client has no TLS yet; use the servers' plain clientPort", where, key, value)
	case key == "zookeeper.sasl.clientconfig", key == "java.security.auth.login.config":
		return fmt.Errorf("%s: %s: this client has no SASL yet; identify yourself with addauth digest", where, key)
	case key == "zookeeper.request.timeout":
		ms, err := strconv.Atoi(value)
		if err != nil {
			return fmt.Errorf("%s: %s=%s is no number of milliseconds", where, key, value)
		}
		c.requestTimeout = time.Duration(ms) * time.Millisecond
	case key == "jute.maxbuffer":
		n, err := strconv.ParseInt(value, 0, 32)
		if err != nil {
			return fmt.Errorf("%s: %s=%s is no number of bytes", where, key, value)
		}
		c.maxReplyBytes = int(n)
	}
	return nil
}

// wordPattern is ZooKeeperMain's: it decides what an unclosed quotation mark
// means, too. A start from arguments does not pay for it.
var wordPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\s*([^"']\S*|"[^"]*"|'[^']*')\s*`)
})

// splitWords breaks a line into words as zkCli does.
func splitWords(line string) []string {
	var words []string
	for _, m := range wordPattern().FindAllStringSubmatch(line, -1) {
		w := m[1]
		if len(w) > 1 && (w[0] == '"' || w[0] == '\'') && w[len(w)-1] == w[0] {
			w = w[1 : len(w)-1]
		}
		words = append(words, w)
	}
	return words
}
