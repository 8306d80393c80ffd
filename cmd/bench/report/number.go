package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// missing stands where there is no figure.
const missing = "–"

// number writes three significant digits, and no fraction from a thousand on,
// with commas between thousands.
func number(v float64) string {
	a := math.Abs(v)
	switch {
	case a == 0:
		return "0"
	case a >= 999.5:
		return thousands(strconv.FormatFloat(v, 'f', 0, 64))
	case a < 0.001:
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	digits := max(0, 2-int(math.Floor(math.Log10(a))))
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

func thousands(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// micros writes a time in microseconds in the unit that suits it.
func micros(v float64) string {
	switch {
	case v < 999.5:
		return number(v) + " µs"
	case v < 999.5e3:
		return number(v/1e3) + " ms"
	}
	return number(v/1e6) + " s"
}

// ratio writes how many times the baseline something is: two decimals where
// that says enough.
func ratio(v float64) string {
	if v >= 0.1 && v < 9.995 {
		return strconv.FormatFloat(v, 'f', 2, 64) + "×"
	}
	return number(v) + "×"
}

// short writes a tick of an axis: 20k, 1.5M.
func short(v float64) string {
	a := math.Abs(v)
	switch {
	case a >= 1e9:
		return number(v/1e9) + "G"
	case a >= 1e6:
		return number(v/1e6) + "M"
	case a >= 1e3:
		return number(v/1e3) + "k"
	}
	return number(v)
}

func percent(share float64) string { return number(share*100) + " %" }

// mebibytes writes bytes.
func mebibytes(bytes float64) string { return number(bytes/(1<<20)) + " MiB" }

func count(n int64) string { return thousands(strconv.FormatInt(n, 10)) }

// plural writes "1 run", "2 runs".
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
