package bench

import (
	"strings"
	"testing"
	"time"
)

func TestValidate(t *testing.T) {
	good := Config{Workload: Workload{Name: Get}, Servers: []string{"127.0.0.1:2181"}}
	tests := []struct {
		name   string
		change func(*Config)
		want   []string // in the faults; none is valid
	}{
		{"defaults", func(*Config) {}, nil},
		{"several at once", func(c *Config) { c.Workload.Name, c.Servers, c.Workload.Keys = "fetch", nil, -1 }, []string{`"fetch"`, "servers", "keys"}},
		{"servers", func(c *Config) { c.Servers = []string{"a:1", "b"} }, []string{`"b" is not host:port`}},
		{"window", func(c *Config) { c.Workload.Window = maxWindow + 1 }, []string{"window"}},
		{"connections", func(c *Config) { c.Workload.Connections = -1 }, []string{"connections"}},
		{"size", func(c *Config) { c.Workload.Size = maxSize + 1 }, []string{"size"}},
		{"hot", func(c *Config) { c.Workload.Hot = -0.1 }, []string{"hot"}},
		{"read share", func(c *Config) { c.Workload.Name, c.Workload.ReadShare = Mixed, 1.1 }, []string{"read share"}},
		{"batch too long", func(c *Config) { c.Workload = Workload{Name: Multi, Batch: 1000, Size: 10_000} }, []string{"batch"}},
		{"children", func(c *Config) { c.Workload = Workload{Name: Children, Children: -1} }, []string{"children"}},
		{"durations", func(c *Config) { c.Duration, c.WarmUp, c.Interval = -1, -1, time.Millisecond }, []string{"duration", "warm-up", "interval"}},
		{"session timeout", func(c *Config) { c.SessionTimeout = time.Millisecond }, []string{"session timeout"}},
		{"relative path", func(c *Config) { c.Path = "bench" }, []string{"path"}},
		{"root as path", func(c *Config) { c.Path = "/" }, []string{"path"}},
		{"pid", func(c *Config) { c.PIDs = []int{1, 0} }, []string{"pid: got 0"}},
		{"rate", func(c *Config) { c.Workload.Rate = -1 }, []string{"rate"}},
		{"rate of idle sessions", func(c *Config) { c.Workload = Workload{Name: Idle, Rate: 1} }, []string{"rate"}},
		{"watches", func(c *Config) { c.Workload = Workload{Name: Watch, Connections: 10_000, Keys: 10_000} }, []string{"watches"}},
		{"reconnect", func(c *Config) { c.Reconnect = true }, nil},
		{"fill with reconnect", func(c *Config) { c.Workload.Name, c.Reconnect = Fill, true }, []string{"reconnect"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := good
			tt.change(&c)
			c = c.WithDefaults()
			err := c.Validate()
			if err == nil {
				if len(tt.want) > 0 {
					t.Fatalf("got no fault, want %q", tt.want)
				}
				return
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(tt.want) {
				t.Fatalf("got %d faults, want %d:\n%v", len(lines), len(tt.want), err)
			}
			for i, want := range tt.want {
				if !strings.Contains(lines[i], want) && !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want it to tell %q", err, want)
				}
			}
		})
	}
}
