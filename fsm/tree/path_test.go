package tree

import (
	"errors"
	"strings"
	"testing"
)

func TestValidatePath(t *testing.T) {
	tests := []struct {
		path string
		ok   bool
	}{
		{"", false},
		{"/", true},
		{"a", false},
		{"a/b", false},
		{"/a", true},
		{"/a/", false},
		{"//", false},
		{"//a", false},
		{"/a//b", false},
		{"/.", false},
		{"/..", false},
		{"/a/./b", false},
		{"/a/../b", false},
		{"/a/..", false},
		{"/...", true},
		{"/.a", true},
		{"/a..", true},
		{"/a./.b/..c", true},
		{"/a b", true},
		{"/\x00", false},
		{"/a\x00b", false},
		{"/\x01", false},
		{"/\x1f", false},
		{"/\x20", true},
		{"/~", true},
		{"/\x7f", false},
		{"/\u0080", false},
		{"/\u009f", false},
		{"/\u00a0", true},
		{"/\ud7ff", true},
		{"/\ue000", false},
		{"/\uf8ff", false},
		{"/\uf900", true},
		{"/\uffef", true},
		{"/\ufff0", false},
		{"/\ufffd", false},
		{"/\uffff", false},
		{"/\U00010000", false},
		{"/\U0001f600", false},
		{"/\xff", false},
		{"/a/\xed\xa0\x80", false},
		{"/zookeeper/quota", true},
		{"/" + strings.Repeat("x", 1<<20), true},
	}
	for _, tt := range tests {
		err := ValidatePath(tt.path)
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrInvalidPath) {
			t.Errorf("ValidatePath(%.40q) = %v, want ok = %v", tt.path, err, tt.ok)
		}
	}
}

func TestIsSystem(t *testing.T) {
	for path, want := range map[string]bool{
		"/": true, "/zookeeper": true, "/zookeeper/quota": true, "/zookeeper/config": true,
		"": false, "/zookeeper/": false, "/zookeeper/x": false, "/zookeeper/quota/a": false, "/zoo": false,
	} {
		if got := IsSystem(path); got != want {
			t.Errorf("IsSystem(%q) = %v, want %v", path, got, want)
		}
	}
}
