package cli

import (
	"fmt"
	"io"
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
