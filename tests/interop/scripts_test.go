//go:build interop

package interop

import (
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"zooraft/tests/interop/differ"
)

func testScripts(t *testing.T, fsys fs.FS, pattern string) {
	scenarios, err := differ.Load(fsys, pattern)
	if err != nil {
		t.Fatal(err)
	}
	if len(scenarios) == 0 {
		t.Fatalf("no scenario in %s", pattern)
	}
	if only := os.Getenv("ZOORAFT_SCENARIO"); only != "" {
		scenarios = slices.DeleteFunc(scenarios, func(s *differ.Scenario) bool { return !strings.Contains(s.Name, only) })
	}
	// One pair of servers for all of a configuration.
	var keys []string
	byKey := map[string][]*differ.Scenario{}
	for _, s := range scenarios {
		key := s.Config.Key()
		if byKey[key] == nil {
			keys = append(keys, key)
		}
		byKey[key] = append(byKey[key], s)
	}
	played, requests := 0, 0
	show := os.Getenv("ZOORAFT_SHOW") == "1"
	for _, key := range keys {
		t.Run(groupName(byKey[key]), func(t *testing.T) {
			p := startPair(t, &byKey[key][0].Config)
			for _, s := range byKey[key] {
				t.Run(s.Name, func(t *testing.T) {
					o, err := p.play(s)
					played++
					if err != nil {
						t.Fatal(err)
					}
					requests += o.Oracle.Requests
					if show {
						t.Log("\n" + o.Oracle.Show(s))
					}
					if d := o.Difference; d != nil {
						t.Error(d)
					}
				})
			}
		})
	}
	t.Logf("%d scenarios, %d requests compared", played, requests)
}

// groupName names scenarios of one configuration by their files.
func groupName(scenarios []*differ.Scenario) string {
	var files []string
	for _, s := range scenarios {
		if !slices.Contains(files, s.File) {
			files = append(files, s.File)
		}
	}
	if len(files) > 1 {
		return strings.TrimSuffix(files[0], ".txt") + "-and-others"
	}
	return strings.TrimSuffix(files[0], ".txt")
}

// Each difference that is meant stands in docs/differences.md, with the scenario that shows it.
func TestDifferencesAreNamed(t *testing.T) {
	page, err := os.ReadFile("../../docs/differences.md")
	if err != nil {
		t.Fatal(err)
	}
	scenarios, err := differ.Load(os.DirFS("."), "scripts/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scenarios {
		means := slices.ContainsFunc(s.Steps, func(step differ.Step) bool { return step.Differs != nil })
		if means && !strings.Contains(string(page), "`"+s.Name+"`") {
			t.Errorf("%s has a difference on purpose that docs/differences.md does not name", s.Name)
		}
	}
}
