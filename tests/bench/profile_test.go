package bench

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"zooraft/tests/harness"
)

// profiledFor is how long each load is profiled; the servers are sampled a hundred times a second of processor time.
const profiledFor = 8 * time.Second

// TestProfile is `make pgo`: it profiles the servers under the loads of TestCompare, and writes what all have spent to the
// file that ZOORAFT_PGO names. The compiler inlines by it (https://go.dev/doc/pgo).
func TestProfile(t *testing.T) {
	out := os.Getenv("ZOORAFT_PGO")
	if out == "" {
		t.Skip("set ZOORAFT_PGO to the file to write")
	}
	b := &book{form: quick}
	b.form.measure = profiledFor
	e := side{label: zooraftLabel}.start(t, b, harness.Options{Size: 3, Lines: []string{
		"admin.enableServer=true", "admin.serverAddress=127.0.0.1", "admin.serverPort=0", "admin.pprof=true",
	}})
	var pages []string
	for sid := 1; sid <= e.Size(); sid++ {
		pages = append(pages, harness.Page(t, e.Server(sid), "Started AdminServer"))
	}
	var all []*profile.Profile
	for _, s := range threeServers(nil) {
		c := b.config(e, s.load, s.where)
		c.Scenario = s.name
		var fetches sync.WaitGroup
		profiles := make([]*profile.Profile, len(pages))
		for i, page := range pages {
			fetches.Go(func() {
				var err error
				if profiles[i], err = fetchProfile(page); err != nil {
					t.Errorf("%s: %v", s.name, err)
				}
			})
		}
		execute(t, c)
		fetches.Wait()
		if t.Failed() {
			return
		}
		all = append(all, profiles...)
	}
	merged, err := profile.Merge(all)
	if err != nil {
		t.Fatalf("merge the profiles: %v", err)
	}
	for _, m := range merged.Mapping {
		m.File, m.BuildID = "zooraft", "" // where the binary was is nobody's business
	}
	f, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(merged.Write(f), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// fetchProfile gets the profile of the next seconds from the server with that admin page. It blocks as long.
func fetchProfile(page string) (*profile.Profile, error) {
	r, err := http.Get(fmt.Sprintf("%s/debug/pprof/profile?seconds=%.0f", page, profiledFor.Seconds()))
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", r.Request.URL, r.Status)
	}
	return profile.Parse(r.Body)
}
