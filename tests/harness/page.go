package harness

import (
	"fmt"
	"os"
	"regexp"
	"testing"
)

// Page is the address, http://host:port, of an HTTP server within a server: that of which its log says last that it
// started, in a line with that text and the port. Where zoo.cfg asks for port 0, it is a free one.
func Page(t testing.TB, s *Server, started string) string {
	t.Helper()
	line := regexp.MustCompile(started + `.*port (\d+)`)
	var port string
	Eventually(t, defaultStartTimeout, "a line that says "+started, func() error {
		log, err := os.ReadFile(s.Log)
		if err != nil {
			return err
		}
		m := line.FindAllSubmatch(log, -1)
		if m == nil {
			return fmt.Errorf("not there yet")
		}
		port = string(m[len(m)-1][1])
		return nil
	})
	return "http://" + loopbackAddr + ":" + port
}
