package bench

import (
	"math"
	"math/rand/v2"
)

// skew chooses keys so that the one of rank r, from 1, comes with a probability
// in proportion to 1/r^s: Zipf's law, for any s above 0. A choice costs one
// random number and one look into a table (Walker's alias method), which all
// connections share.
type skew struct {
	keep  []uint32 // share of a column that is its own key's, of 2^32
	alias []uint32 // whose the rest is
}

func newSkew(keys int, s float64) *skew {
	weights := make([]float64, keys)
	sum := 0.0
	for i := range weights {
		weights[i] = math.Pow(float64(i+1), -s)
		sum += weights[i]
	}
	k := &skew{keep: make([]uint32, keys), alias: make([]uint32, keys)}
	// Each column has room for the average; a light key's is filled up by a
	// heavy one.
	var light, heavy []uint32
	for i := range weights {
		weights[i] *= float64(keys) / sum
		if weights[i] < 1 {
			light = append(light, uint32(i))
		} else {
			heavy = append(heavy, uint32(i))
		}
	}
	for len(light) > 0 && len(heavy) > 0 {
		l, h := light[len(light)-1], heavy[len(heavy)-1]
		light = light[:len(light)-1]
		k.keep[l], k.alias[l] = uint32(weights[l]*math.MaxUint32), h
		if weights[h] -= 1 - weights[l]; weights[h] < 1 {
			heavy = heavy[:len(heavy)-1]
			light = append(light, h)
		}
	}
	for _, i := range append(light, heavy...) { // full, but for rounding
		k.keep[i], k.alias[i] = math.MaxUint32, i
	}
	return k
}

func (k *skew) key(r *rand.Rand) uint64 {
	v := r.Uint64()
	i := v >> 32 * uint64(len(k.keep)) >> 32
	if uint32(v) <= k.keep[i] {
		return i
	}
	return uint64(k.alias[i])
}
