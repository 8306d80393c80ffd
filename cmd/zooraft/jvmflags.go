package main

import (
	"slices"
	"strings"
)

// jvmFlagVariables are the environment variables in which zkServer.sh and the
// container images hand properties to the JVM, in the order in which they reach
// its command line.
var jvmFlagVariables = []string{"SERVER_JVMFLAGS", "JVMFLAGS"}

// The properties that concern the server without the prefix "zookeeper.".
var barePropertyPrefixes = []string{"zookeeper.", "jute.maxbuffer=", "readonlymode.enabled=", "znode.container."}

// What zkServer.sh sets for the JVM's logging, which is not the server's.
var loggingPrefixes = []string{"zookeeper.log.", "zookeeper.root.logger=", "zookeeper.console.", "zookeeper.jmx."}

// jvmOverrides picks from the JVM flags the -D words that set a property of the
// server, as KEY=VALUE. All other flags, such as -Xmx, mean nothing here.
func jvmOverrides(getenv func(string) string) []string {
	var overrides []string
	hasPrefix := func(word string) func(string) bool {
		return func(prefix string) bool { return strings.HasPrefix(word, prefix) }
	}
	for _, name := range jvmFlagVariables {
		for word := range strings.FieldsSeq(getenv(name)) {
			property, isProperty := strings.CutPrefix(word, "-D")
			if !isProperty || !slices.ContainsFunc(barePropertyPrefixes, hasPrefix(property)) ||
				slices.ContainsFunc(loggingPrefixes, hasPrefix(property)) {
				continue
			}
			if !strings.Contains(property, "=") {
				property += "=" // java takes -Dkey for an empty value
			}
			overrides = append(overrides, property)
		}
	}
	return overrides
}
