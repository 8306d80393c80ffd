package server

// Setting is one key of the configuration with what it came to: what the console
// shows. Nothing in the server goes by it.
type Setting struct {
	Key string
	// Value is the one in effect, masked if it is a secret; empty for a key that
	// has none.
	Value string
	// Origin is the file and line that set it, "-D", the name of the environment
	// variable, "default", "derived: " with what from, or "not set" for a key that
	// has no value then.
	Origin string
	// Effect says in a word or two how it compares with ZooKeeper, Note what it is
	// mapped to, or why it does nothing; empty for the same as in ZooKeeper.
	Effect, Note string
	// Property is the Java property that the key is in ZooKeeper; empty if zoo.cfg's
	// parser takes it.
	Property string
}
