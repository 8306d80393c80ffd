package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// The format of bbolt's files, after go.etcd.io/bbolt: internal/common. Only
// the two meta pages have a checksum, so what is verified of the others is that
// they can be nothing but what bbolt wrote: a page's elements and data lie one
// after the other without a gap, keys ascend within the bounds of the branch
// above, and every page below the high-water mark is in the tree or on the free
// list, once. A pointer to an older version of a page, a lost element or a
// changed length breaks one of these; the values have checksums of ours. It
// also spares the process a fault: bbolt follows what it reads in mapped memory.
const (
	boltMagic      = 0xED0CDAED
	boltVersion    = 2
	boltPageHead   = 16
	boltElement    = 16
	boltMetaLen    = 64
	boltMaxDepth   = 64
	boltNoFreelist = 1<<64 - 1

	boltBranch   = 0x01
	boltLeaf     = 0x02
	boltFreelist = 0x10

	boltBucketElement = 0x01
)

// boltVisit is called for each key outside of the root bucket. offset is where
// the page begins; key and value are valid only during the call.
type boltVisit func(bucket string, key, value []byte, offset int64) error

// boltFile walks one file.
type boltFile struct {
	f        *os.File
	size     int64
	pageSize int64
	pages    uint64 // the high-water mark
	seen     []bool
	visit    boltVisit
}

// checkBolt verifies the structure of a bbolt file that nobody has open.
func checkBolt(path string) error { return walkBolt(path, nil) }

// walkBolt verifies the structure and visits the keys in order.
func walkBolt(path string, visit boltVisit) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	w := &boltFile{f: f, size: st.Size(), pageSize: int64(os.Getpagesize()), visit: visit}
	return w.walk()
}

func (w *boltFile) walk() error {
	root, freelist, err := w.readMeta()
	if err != nil {
		return err
	}
	if w.pages > uint64(w.size/w.pageSize) {
		return fmt.Errorf("%w: %d pages of %d bytes in a file of %d", ErrCorrupt, w.pages, w.pageSize, w.size)
	}
	w.seen = make([]bool, w.pages)
	w.seen[0], w.seen[1] = true, true
	names := map[string]bool{}
	err = w.tree(root, nil, nil, 0, func(kind uint32, key, value []byte, at int64) error {
		name := string(key)
		if kind != boltBucketElement || len(value) < 16 || (name != "logs" && name != "conf") {
			return fmt.Errorf("offset %d: %w: unexpected bucket %q", at, ErrCorrupt, name)
		}
		names[name] = true
		return w.bucket(name, bytes.Clone(value), at)
	})
	if err != nil {
		return err
	}
	if len(names) != 2 {
		return fmt.Errorf("%w: a bucket is missing", ErrCorrupt)
	}
	if err := w.free(freelist); err != nil {
		return err
	}
	for id, seen := range w.seen {
		if !seen {
			return fmt.Errorf("offset %d: %w: page is neither used nor free", int64(id)*w.pageSize, ErrCorrupt)
		}
	}
	return nil
}

// readMeta returns what the newer of the two meta pages says. Both must be
// valid: they are written one at a time, each within a sector, so a damaged one
// may have been the newer.
func (w *boltFile) readMeta() (root, freelist uint64, err error) {
	var newest uint64
	for id := range int64(2) {
		b := make([]byte, boltMetaLen)
		at := id*w.pageSize + boltPageHead
		if _, err := w.f.ReadAt(b, at); err != nil {
			return 0, 0, fmt.Errorf("offset %d: %w meta page: %w", at, ErrCorrupt, err)
		}
		sum := fnv.New64a()
		sum.Write(b[:56])
		if binary.NativeEndian.Uint32(b) != boltMagic || binary.NativeEndian.Uint32(b[4:]) != boltVersion ||
			binary.NativeEndian.Uint64(b[56:]) != sum.Sum64() {
			return 0, 0, fmt.Errorf("offset %d: %w meta page", at, ErrCorrupt)
		}
		if p := int64(binary.NativeEndian.Uint32(b[8:])); p != w.pageSize {
			return 0, 0, fmt.Errorf("it was made with pages of %d bytes, here they have %d", p, w.pageSize)
		}
		if txid := binary.NativeEndian.Uint64(b[48:]); id == 0 || txid > newest {
			newest = txid
			root = binary.NativeEndian.Uint64(b[16:])
			freelist = binary.NativeEndian.Uint64(b[32:])
			w.pages = binary.NativeEndian.Uint64(b[40:])
		}
	}
	if w.pages < 4 {
		return 0, 0, fmt.Errorf("%w: %d pages", ErrCorrupt, w.pages)
	}
	return root, freelist, nil
}

// bucket walks a bucket given its element in the root: its root page, or the
// page itself if it is small.
func (w *boltFile) bucket(name string, value []byte, at int64) error {
	visit := func(kind uint32, key, val []byte, at int64) error {
		if kind != 0 {
			return fmt.Errorf("offset %d: %w: bucket in bucket %q", at, ErrCorrupt, name)
		}
		if w.visit == nil {
			return nil
		}
		return w.visit(name, key, val, at)
	}
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		if len(value) != 16 {
			return fmt.Errorf("offset %d: %w bucket %q", at, ErrCorrupt, name)
		}
		return w.tree(root, nil, nil, 0, visit)
	}
	page := value[16:]
	if len(page) < boltPageHead || binary.NativeEndian.Uint16(page[8:]) != boltLeaf {
		return fmt.Errorf("offset %d: %w inline bucket %q", at, ErrCorrupt, name)
	}
	used, err := w.leaf(page, nil, nil, at, visit)
	if err == nil && used != len(page) {
		err = fmt.Errorf("offset %d: %w inline bucket %q", at, ErrCorrupt, name)
	}
	return err
}

type elementVisit func(kind uint32, key, value []byte, at int64) error

// tree walks the pages under id, whose keys must be in [lo, hi).
func (w *boltFile) tree(id uint64, lo, hi []byte, depth int, visit elementVisit) error {
	at := int64(id) * w.pageSize
	page, err := w.page(id)
	if err != nil {
		return err
	}
	if depth > boltMaxDepth {
		return fmt.Errorf("offset %d: %w: the tree is too deep", at, ErrCorrupt)
	}
	var used int
	switch binary.NativeEndian.Uint16(page[8:]) {
	case boltLeaf:
		// Only a tree of one page may be empty: bbolt takes out leaves that are.
		if depth > 0 && binary.NativeEndian.Uint16(page[10:]) == 0 {
			return fmt.Errorf("offset %d: %w: empty leaf", at, ErrCorrupt)
		}
		used, err = w.leaf(page, lo, hi, at, visit)
	case boltBranch:
		used, err = w.branch(page, lo, hi, at, depth, visit)
	default:
		err = fmt.Errorf("offset %d: %w: page is neither branch nor leaf", at, ErrCorrupt)
	}
	if err == nil && (int64(used)+w.pageSize-1)/w.pageSize != int64(len(page))/w.pageSize {
		err = fmt.Errorf("offset %d: %w: page of %d bytes uses %d", at, ErrCorrupt, len(page), used)
	}
	return err
}

// page reads a page with its overflow and marks both as seen.
func (w *boltFile) page(id uint64) ([]byte, error) {
	at := int64(id) * w.pageSize
	if id < 2 || id >= w.pages {
		return nil, fmt.Errorf("%w: pointer to page %d of %d", ErrCorrupt, id, w.pages)
	}
	head := make([]byte, boltPageHead)
	if _, err := w.f.ReadAt(head, at); err != nil {
		return nil, err
	}
	n := uint64(binary.NativeEndian.Uint32(head[12:])) + 1
	if binary.NativeEndian.Uint64(head) != id || n > w.pages-id {
		return nil, fmt.Errorf("offset %d: %w page header", at, ErrCorrupt)
	}
	for i := id; i < id+n; i++ {
		if err := w.mark(i); err != nil {
			return nil, err
		}
	}
	page := make([]byte, int64(n)*w.pageSize)
	if _, err := w.f.ReadAt(page, at); err != nil && err != io.EOF {
		return nil, err
	}
	return page, nil
}

func (w *boltFile) mark(id uint64) error {
	if id < 2 || id >= w.pages || w.seen[id] {
		return fmt.Errorf("offset %d: %w: page is used twice", int64(id)*w.pageSize, ErrCorrupt)
	}
	w.seen[id] = true
	return nil
}

// elements calls f for each element of a page and returns how many bytes of the
// page are used. Keys must ascend in [lo, hi).
func elements(page, lo, hi []byte, at int64, f func(i int, kind uint32, key, value []byte) error) (int, error) {
	count := int(binary.NativeEndian.Uint16(page[10:]))
	branch := binary.NativeEndian.Uint16(page[8:]) == boltBranch
	next := boltPageHead + boltElement*count
	if next > len(page) {
		return 0, fmt.Errorf("offset %d: %w: %d elements in a page", at, ErrCorrupt, count)
	}
	var last []byte
	for i := range count {
		e := boltPageHead + boltElement*i
		var kind uint32
		var pos, ksize, vsize uint32
		if branch {
			pos, ksize = binary.NativeEndian.Uint32(page[e:]), binary.NativeEndian.Uint32(page[e+4:])
		} else {
			kind, pos = binary.NativeEndian.Uint32(page[e:]), binary.NativeEndian.Uint32(page[e+4:])
			ksize, vsize = binary.NativeEndian.Uint32(page[e+8:]), binary.NativeEndian.Uint32(page[e+12:])
		}
		if int64(e)+int64(pos) != int64(next) || int64(next)+int64(ksize)+int64(vsize) > int64(len(page)) {
			return 0, fmt.Errorf("offset %d: %w page element %d", at, ErrCorrupt, i)
		}
		key := page[next : next+int(ksize)]
		value := page[next+int(ksize) : next+int(ksize)+int(vsize)]
		if (i > 0 && bytes.Compare(last, key) >= 0) || bytes.Compare(key, lo) < 0 || (hi != nil && bytes.Compare(key, hi) >= 0) {
			return 0, fmt.Errorf("offset %d: %w: key %x of element %d is out of order", at, ErrCorrupt, key, i)
		}
		if err := f(i, kind, key, value); err != nil {
			return 0, err
		}
		last = key
		next += int(ksize) + int(vsize)
	}
	return next, nil
}

func (w *boltFile) leaf(page, lo, hi []byte, at int64, visit elementVisit) (int, error) {
	return elements(page, lo, hi, at, func(_ int, kind uint32, key, value []byte) error {
		return visit(kind, key, value, at)
	})
}

func (w *boltFile) branch(page, lo, hi []byte, at int64, depth int, visit elementVisit) (int, error) {
	var keys [][]byte
	var ids []uint64
	used, err := elements(page, lo, hi, at, func(i int, _ uint32, key, _ []byte) error {
		keys = append(keys, key)
		ids = append(ids, binary.NativeEndian.Uint64(page[boltPageHead+boltElement*i+8:]))
		return nil
	})
	if err != nil {
		return 0, err
	}
	if len(ids) == 0 {
		return 0, fmt.Errorf("offset %d: %w: empty branch", at, ErrCorrupt)
	}
	for i, id := range ids {
		top := hi
		if i+1 < len(keys) {
			top = keys[i+1]
		}
		if err := w.tree(id, keys[i], top, depth+1, visit); err != nil {
			return 0, err
		}
	}
	return used, nil
}

// free marks the pages of the free list and those it lists.
func (w *boltFile) free(id uint64) error {
	if id == boltNoFreelist {
		return fmt.Errorf("%w: no free list", ErrCorrupt)
	}
	page, err := w.page(id)
	if err != nil {
		return err
	}
	at := int64(id) * w.pageSize
	if binary.NativeEndian.Uint16(page[8:]) != boltFreelist {
		return fmt.Errorf("offset %d: %w: not a free list", at, ErrCorrupt)
	}
	list := page[boltPageHead:]
	n := uint64(binary.NativeEndian.Uint16(page[10:]))
	if n == 0xFFFF {
		n = binary.NativeEndian.Uint64(list)
		list = list[8:]
	}
	if n > uint64(len(list)/8) {
		return fmt.Errorf("offset %d: %w: %d free pages listed", at, ErrCorrupt, n)
	}
	for i := range n {
		if err := w.mark(binary.NativeEndian.Uint64(list[8*i:])); err != nil {
			return err
		}
	}
	return nil
}
