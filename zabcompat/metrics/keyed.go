package metrics

import (
	"maps"
	"slices"
	"sync"
)

// maxKeys bounds what a Keyed keeps apart, for keys may come from clients. What
// comes beyond is recorded under OtherKey.
const maxKeys = 200

// OtherKey stands for all keys beyond those that are kept apart. No first element
// of a znode's path and no server id is like it.
const OtherKey = "/other"

// Keyed is a figure for each of a set of keys, such as the servers of an ensemble
// or the top-level znodes. The zero Keyed is ready; any goroutine may use it.
type Keyed[T any] struct {
	mu sync.RWMutex
	of map[string]*T
}

// For returns the figure of a key, made at the first call. It is best kept by
// callers that record often.
func (k *Keyed[T]) For(key string) *T {
	k.mu.RLock()
	v := k.of[key]
	k.mu.RUnlock()
	if v != nil {
		return v
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.of == nil {
		k.of = make(map[string]*T)
	}
	if len(k.of) >= maxKeys && k.of[key] == nil {
		key = OtherKey
	}
	if v = k.of[key]; v == nil {
		v = new(T)
		k.of[key] = v
	}
	return v
}

// Each calls fn with each key, in order, and its figure.
func (k *Keyed[T]) Each(fn func(key string, v *T)) {
	k.mu.RLock()
	of := maps.Clone(k.of)
	k.mu.RUnlock()
	for _, key := range slices.Sorted(maps.Keys(of)) {
		fn(key, of[key])
	}
}
