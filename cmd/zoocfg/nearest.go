package zoocfg

import (
	"cmp"
	"slices"
	"strings"
)

// misnamed are keys that examples in wide use get wrong by more than a slip, in lower
// case.
var misnamed = map[string]string{"timetick": "tickTime"} // Strimzi's

// nearest is the key that was probably meant by one that has no row of its own in
// the table, "" if there is none that is like it: one that differs by case, or by
// a slip of the hand or two. A key server.1 is compared by what is before its last
// dot.
func nearest(key string) string {
	if _, known := table[key]; known {
		return ""
	}
	if meant := misnamed[strings.ToLower(key)]; meant != "" {
		return meant
	}
	stem, last := key, ""
	if i := strings.LastIndexByte(key, '.'); i > 0 {
		stem, last = key[:i+1], key[i+1:]
	}
	type candidate struct {
		name  string
		slips int
	}
	var found []candidate
	try := func(name, typed, as string) {
		most := min(2, len(typed)/4) // of a short key, two letters make another one
		if d := slips(strings.ToLower(typed), strings.ToLower(name)); d <= most && typed != name {
			found = append(found, candidate{as, d})
		}
	}
	grouped := Lookup(key).Effect != Unknown
	for _, k := range rows {
		if strings.HasSuffix(k.Name, ".") {
			if grouped {
				continue
			}
			try(k.Name, stem, k.Name+last)
		} else if !strings.HasPrefix(key, k.Name+".") {
			try(k.Name, key, k.Name)
		}
	}
	if len(found) == 0 {
		return ""
	}
	return slices.MinFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.slips, b.slips), cmp.Compare(a.name, b.name))
	}).name
}

// slips is the number of letters to insert, leave out, change or swap with their
// neighbour to make b of a.
func slips(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
