package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// object is a JSON object whose fields have an order. A value is a string, bool,
// int64, float64, nil, object, or a slice of these.
type object []field

type field struct {
	key   string
	value any
}

// appendJSON writes a value the way the AdminServer's printer does (Jackson's
// default): a field to a line, indented by two, blanks around the colon, arrays
// on one line. Scripts match parts of it with grep.
func appendJSON(b []byte, value any, indent int) []byte {
	switch v := value.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		return append(b, javaDouble(v)...)
	case string:
		return appendJSONString(b, v)
	case object:
		if len(v) == 0 {
			return append(b, "{ }"...)
		}
		b = append(b, '{')
		for i, f := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, '\n')
			b = append(b, strings.Repeat("  ", indent+1)...)
			b = append(appendJSONString(b, f.key), " : "...)
			b = appendJSON(b, f.value, indent+1)
		}
		b = append(b, '\n')
		b = append(b, strings.Repeat("  ", indent)...)
		return append(b, '}')
	case []string:
		return appendJSONArray(b, v, indent)
	case []int64:
		return appendJSONArray(b, v, indent)
	case []object:
		return appendJSONArray(b, v, indent)
	}
	panic(fmt.Sprintf("admin: no JSON for %T", value))
}

func appendJSONArray[T any](b []byte, list []T, indent int) []byte {
	if len(list) == 0 {
		return append(b, "[ ]"...)
	}
	b = append(b, "[ "...)
	for i, v := range list {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = appendJSON(b, v, indent)
	}
	return append(b, " ]"...)
}

func appendJSONString(b []byte, s string) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic(err) // a string
	}
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}
