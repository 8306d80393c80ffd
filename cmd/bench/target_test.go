package bench

import (
	"slices"
	"testing"
)

func TestParseTarget(t *testing.T) {
	tests := []struct {
		text string
		want Target
	}{
		{"", nil},
		{"throughput ≥ 2.5, CPU ≤ 0.35, p99 ≤ 0.5", Target{{OfThroughput, "≥", 2.5, ""}, {OfCPU, "≤", .35, ""}, {OfP99, "≤", .5, ""}}},
		{"p50 ≤ 1", Target{{OfP50, "≤", 1, ""}}},
		{"ratio ≤ 0.5, < 12 KiB", Target{{OfRatio, "≤", .5, ""}, {OfValue, "<", 12, "KiB"}}},
		{"> 70 %", Target{{OfValue, ">", 70, "%"}}},
		{"< 3", Target{{OfValue, "<", 3, ""}}},
	}
	for _, tt := range tests {
		got, err := ParseTarget(tt.text)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %+v, %v; want %+v", tt.text, got, err, tt.want)
		}
		if s := got.String(); s != tt.text {
			t.Errorf("%q: written again as %q", tt.text, s)
		}
	}
	for _, text := range []string{"below 100 ms", "as fast as can be", "p99 ≤", "p99 0.5", "p98 ≤ 1", "ratio ≤ 0.5 ms", "ratio ≤ 0.5,< 3",
		"< -3 ms", "< NaN ms", "ratio ≤ 0.5, ", " < 3 ms", "< 3 ms a", "< 1e3 ms"} {
		if got, err := ParseTarget(text); err == nil {
			t.Errorf("%q: got %+v, want an error", text, got)
		}
	}
}

func TestMet(t *testing.T) {
	for _, tt := range []struct {
		relation            string
		below, equal, above bool
	}{{"<", true, false, false}, {"≤", true, true, false}, {"≥", false, true, true}, {">", false, false, true}, {"", false, false, false}} {
		b := Bound{Relation: tt.relation, Limit: 2}
		if below, equal, above := b.Met(1), b.Met(2), b.Met(3); below != tt.below || equal != tt.equal || above != tt.above {
			t.Errorf("%q 2 of 1, 2, 3: got %v %v %v, want %v %v %v", tt.relation, below, equal, above, tt.below, tt.equal, tt.above)
		}
	}
}

// FuzzParseTarget wants what is read to be written as it was meant.
func FuzzParseTarget(f *testing.F) {
	f.Add("throughput ≥ 2.5, CPU ≤ 0.35, p99 ≤ 0.5")
	f.Add("ratio ≤ 0.5, < 12 KiB")
	f.Fuzz(func(t *testing.T, text string) {
		first, err := ParseTarget(text)
		if err != nil {
			return
		}
		second, err := ParseTarget(first.String())
		if err != nil || !slices.Equal(first, second) {
			t.Errorf("%q: %+v became %+v, %v", text, first, second, err)
		}
	})
}
