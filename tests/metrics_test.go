package tests

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"zooraft/server/admin"
	"zooraft/zabcompat/metrics"
)

// Each field of metrics.Metrics is recorded somewhere: what nothing feeds belongs
// into the list of those that stay at zero, with the reason.
func TestMetricsAreRecorded(t *testing.T) {
	used := make(map[string]bool)
	err := filepath.WalkDir("../server", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && ofMetrics(sel.X) {
				used[sel.Sel.Name] = true
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	typ := reflect.TypeFor[metrics.Metrics]()
	if typ.NumField() < 50 {
		t.Fatalf("only %d fields: are the figures elsewhere?", typ.NumField())
	}
	for i := range typ.NumField() {
		if name := typ.Field(i).Name; !used[name] {
			t.Errorf("nothing records metrics.Metrics.%s", name)
		}
	}
}

// ofMetrics says whether x is called as the figures are where they are recorded.
func ofMetrics(x ast.Expr) bool {
	var name string
	switch x := x.(type) {
	case *ast.Ident:
		name = x.Name
	case *ast.SelectorExpr:
		name = x.Sel.Name
	}
	return name == "m" || name == "mx" || name == "metrics" || name == "Metrics"
}

// Every figure of a server's status is filled in somewhere.
func TestStatusIsFilledIn(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../server/status.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	set := make(map[string]bool)
	note := func(e ast.Expr) {
		switch e := e.(type) {
		case *ast.SelectorExpr:
			set[e.Sel.Name] = true
		case *ast.Ident:
			set[e.Name] = true
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, e := range n.Lhs {
				note(e)
			}
		case *ast.IncDecStmt:
			note(n.X)
		case *ast.KeyValueExpr:
			note(n.Key)
		}
		return true
	})
	typ := reflect.TypeFor[admin.Status]()
	for i := range typ.NumField() {
		if name := typ.Field(i).Name; !set[name] && name != "Settings" { // for peers only, see webshared.go
			t.Errorf("nothing sets admin.Status.%s", name)
		}
	}
}
