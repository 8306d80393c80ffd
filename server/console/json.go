package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// A handler answers a request of somebody who is signed in.
type handler func(w http.ResponseWriter, r *http.Request, s *session)

// failure is the body of every answer that is not 2xx.
type failure struct {
	Error   string `json:"error"` // a word for programs
	Message string `json:"message"`
	// Current is the znode as it is, where that is why a write has failed.
	Current *node `json:"current,omitempty"`
}

func fail(w http.ResponseWriter, status int, code, message string) {
	answerStatus(w, status, &failure{Error: code, Message: message})
}

// answer writes what it is given as JSON.
func answer(w http.ResponseWriter, v any) { answerStatus(w, http.StatusOK, v) }

func answerStatus(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain fields
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(b)
}

// decode reads the body of a request, max bytes at most. If it is not what v
// takes, it answers so and returns false.
func decode(w http.ResponseWriter, r *http.Request, max int, v any) bool {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		fail(w, http.StatusUnsupportedMediaType, "NotJSON", "send application/json")
		return false
	}
	// How long it may take to come in is bounded for all pages of the port (admin.Page).
	err := decodeJSON(http.MaxBytesReader(w, r.Body, int64(max)), v)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		fail(w, http.StatusRequestEntityTooLarge, "TooLarge", fmt.Sprintf("the request is larger than %d bytes", max))
	case err != nil:
		fail(w, http.StatusBadRequest, "BadRequest", err.Error())
	}
	return err == nil
}

// decodeJSON takes one object that has no field but those of v.
func decodeJSON(r io.Reader, v any) error {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more after the object")
	}
	return nil
}

// Hex is an id or a zxid as the page gets it: a number of JSON would lose its last
// digits there.
type Hex int64

// MarshalText implements encoding.TextMarshaler.
func (h Hex) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "0x%x", uint64(h)), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hex) UnmarshalText(text []byte) error {
	digits, ok := strings.CutPrefix(string(text), "0x")
	n, err := strconv.ParseUint(digits, 16, 64)
	if err != nil || !ok {
		return fmt.Errorf("%q is not 0x and hexadecimal digits", text)
	}
	*h = Hex(n)
	return nil
}
