package history

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestFile(t *testing.T) {
	a := newScript("a").connect(1).set("/x", "1", 5).getWatch("/x", 5, 5).childrenWatch("/", 5, 5).mark(Lost)
	a.Records[len(a.Records)-2].Children = []string{"x", "y"}
	h := historyOf(a, newScript("idle"))
	name := filepath.Join(t.TempDir(), "h.gz")
	if err := h.WriteFile(name); err != nil {
		t.Fatal(err)
	}
	got, err := ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, h) {
		t.Errorf("history: got %+v, want %+v", got, h)
	}
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 5, len(whole) / 2, len(whole) - 9} {
		if err := os.WriteFile(name, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadFile(name); !errors.Is(err, errHistory) {
			t.Errorf("first %d of %d bytes: got %v, want %v", n, len(whole), err, errHistory)
		}
	}
}

func TestUnbroken(t *testing.T) {
	expectRules(t, Unbroken(historyOf(newScript("a").connect(1).mark(Lost))))
	expectRules(t, Unbroken(historyOf(newScript("a").connect(1).mark(Broken))), "unbroken")
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"seed":1,"records":1}{"client":"a","records":1}{"at":1,"kind":"reply"}`))
	f.Add([]byte(`{"records":-1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 4096 {
			return
		}
		h, err := read(bytes.NewReader(b))
		if err == nil && h == nil {
			t.Error("neither history nor error")
		}
	})
}
