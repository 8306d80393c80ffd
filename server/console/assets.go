package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"
)

// files are the page, as `make console` makes it.
//
//go:embed all:assets
var files embed.FS

// asset is one file of the page.
type asset struct {
	body    []byte
	zipped  func() []byte // the body as gzip makes it
	kind    string        // its media type
	tag     string        // of its content, for ETag
	forever bool          // its name changes with its content
}

// fingerprinted are names that hold a hash of the content: name-ABCD2345.js, as
// esbuild makes them.
var fingerprinted = regexp.MustCompile(`[-.][0-9A-Za-z]{8,}\.[a-z0-9]+$`)

// kinds are the media types of what the page consists of: the system's own table
// differs from host to host.
var kinds = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon", ".woff2": "font/woff2",
	".json": "application/json", ".webmanifest": "application/manifest+json", ".txt": "text/plain; charset=utf-8",
}

func loadAssets() map[string]asset {
	all := make(map[string]asset)
	_ = fs.WalkDir(files, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		kind := kinds[path.Ext(name)]
		if kind == "" {
			kind = mime.TypeByExtension(path.Ext(name))
		}
		short := strings.TrimPrefix(name, "assets/")
		all[short] = asset{
			body: body, zipped: sync.OnceValue(func() []byte { return zip(body) }), kind: kind,
			tag: fmt.Sprintf("%x", sha256.Sum256(body))[:16], forever: fingerprinted.MatchString(short),
		}
		return nil
	})
	return all
}

func zip(body []byte) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // a level that there is
	z.Write(body)                                         // to a buffer, which takes all
	z.Close()
	return b.Bytes()
}

// page serves a file of the page, and for all else that a browser goes to the page
// itself: what comes behind Base is the page's to understand, so that a znode has
// an address.
func (c *Console) page(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, Base)
	a, ok := c.assets[name]
	if !ok && (name == "" || strings.Contains(r.Header.Get("Accept"), "text/html")) {
		a, ok = c.assets["index.html"]
	}
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("Cache-Control", "no-cache")
	if a.forever {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	h.Set("Vary", "Accept-Encoding")
	body, tag := a.body, a.tag
	if len(body) > minZipped && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body, tag = a.zipped(), tag+"z"
	}
	h.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// minZipped is the size in bytes below which zipping gains nothing.
const minZipped = 1000
