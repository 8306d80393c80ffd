package console

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

// ensembleFresh is how old an answer about the ensemble may be: it asks the other
// members, and all pages share it.
const ensembleFresh = time.Second

// ensembleView keeps the last answer.
type ensembleView struct {
	now  func() time.Time
	mu   sync.Mutex // held while the members are asked
	at   time.Time
	last Ensemble
}

func (c *Console) seenEnsemble() Ensemble {
	v := &c.members
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.now().Sub(v.at) > ensembleFresh {
		v.last = c.src.Ensemble(c.life)
		v.at = v.now()
	}
	return v.last
}

func (c *Console) ensemble(w http.ResponseWriter, _ *http.Request, _ *session) {
	answer(w, c.seenEnsemble())
}

// How many sessions and connections one answer has.
const (
	someRows = 200
	mostRows = 2000
)

// cut cuts a list to what a request asks for.
func cut[T any](w http.ResponseWriter, r *http.Request, all []T) (part []T, from int, ok bool) {
	if from, ok = number(w, r, "from", 0, 0, 1<<31-1); !ok {
		return nil, 0, false
	}
	count, ok := number(w, r, "count", someRows, 1, mostRows)
	if !ok {
		return nil, 0, false
	}
	from = min(from, len(all))
	part = all[from:min(from+count, len(all))]
	if part == nil {
		part = []T{}
	}
	return part, from, true
}

type sessionList struct {
	Total    int       `json:"total"`
	From     int       `json:"from"`
	Sessions []Session `json:"sessions"`
}

func (c *Console) listSessions(w http.ResponseWriter, r *http.Request, _ *session) {
	all := c.src.Sessions()
	if part, from, ok := cut(w, r, all); ok {
		answer(w, sessionList{len(all), from, part})
	}
}

func (c *Console) oneSession(w http.ResponseWriter, r *http.Request, _ *session) {
	var id Hex
	if err := id.UnmarshalText([]byte(r.PathValue("id"))); err != nil {
		fail(w, http.StatusBadRequest, "BadArguments", err.Error())
		return
	}
	s, ok := c.src.Session(int64(id))
	if !ok {
		fail(w, http.StatusNotFound, "NoSession", "this server knows no session "+r.PathValue("id"))
		return
	}
	answer(w, s)
}

type connectionList struct {
	Total       int          `json:"total"`
	From        int          `json:"from"`
	Connections []Connection `json:"connections"`
}

func (c *Console) connections(w http.ResponseWriter, r *http.Request, _ *session) {
	all := c.src.Connections()
	if part, from, ok := cut(w, r, all); ok {
		answer(w, connectionList{len(all), from, part})
	}
}

func (c *Console) config(w http.ResponseWriter, _ *http.Request, _ *session) {
	answer(w, struct {
		Settings []Setting `json:"settings"`
	}{append([]Setting{}, c.src.Settings()...)})
}

func (c *Console) slow(w http.ResponseWriter, _ *http.Request, _ *session) {
	s := c.src.Slow()
	if s.Requests == nil {
		s.Requests = []SlowRequest{}
	}
	answer(w, s)
}

func (c *Console) warnings(w http.ResponseWriter, _ *http.Request, _ *session) {
	all := c.allWarnings()
	c.warned.Store(int32(len(all)))
	answer(w, struct {
		Warnings []Warning `json:"warnings"`
	}{all})
}

// allWarnings are those of the server and of its znodes, the worst first.
func (c *Console) allWarnings() []Warning {
	e := c.seenEnsemble()
	all := append([]Warning{}, c.src.Warnings(&e)...)
	all = append(all, c.ownWarnings()...)
	slices.SortStableFunc(all, func(a, b Warning) int { return slices.Index(worst[:], a.Severity) - slices.Index(worst[:], b.Severity) })
	return all
}

// worst are the severities, worst first.
var worst = [...]Severity{Critical, Warn, Info}
