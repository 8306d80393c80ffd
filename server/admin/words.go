package admin

import (
	"encoding/binary"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
)

// notServing is the answer of every word that describes a working server while
// this one has no quorum.
const notServing = "This ZooKeeper instance is not currently serving requests\n"

// words holds what makes each answer.
var words = map[string]func(Source) string{ // stmk, besides, is Answer's
	"conf": conf, "cons": cons, "crst": crst, "dirs": dirs, "dump": dump, "envi": envi,
	"gtmk": gtmk, "hash": hash, "isro": isro, "mntr": mntr, "ruok": ruok,
	"srst": srst, "srvr": srvr, "stat": stat, "stmk": nil,
	"wchc": wchc, "wchp": wchp, "wchs": wchs,
}

// unserved are the words that are answered while the server is not serving.
var unserved = map[string]bool{"ruok": true, "isro": true, "envi": true, "gtmk": true, "stmk": true}

// Words answers four-letter words.
type Words struct {
	source  Source
	all     bool
	allowed map[string]bool
}

// New makes Words that answer what whitelist names (4lw.commands.whitelist): "*"
// stands for all, names that are no words are ignored.
func New(source Source, whitelist []string) *Words {
	w := &Words{source: source, allowed: make(map[string]bool)}
	for _, name := range whitelist {
		name = strings.TrimSpace(name)
		if name == "*" {
			w.all = true
		}
		w.allowed[name] = true
	}
	return w
}

// Answer returns the answer to a word; known is false if it is no word of
// ZooKeeper's. A word that is not on the whitelist gets ZooKeeper's sentence
// about that. What was sent behind the word is read from behind, by stmk alone,
// which blocks for it; the answer is empty if it does not come.
func (w *Words) Answer(word string, behind io.Reader) (answer string, known bool) {
	render, known := words[word]
	switch {
	case !known:
		return "", false
	case !w.all && !w.allowed[word]:
		return word + " is not executed because it is not in the whitelist.\n", true
	case !unserved[word] && !w.source.Serving():
		if word == "hash" {
			return strings.TrimSuffix(notServing, "\n"), true // as ZooKeeper does
		}
		return notServing, true
	case word == "stmk":
		return stmk(behind), true
	}
	return render(w.source), true
}

// ruok says that the process answers, and nothing of what it can do.
func ruok(Source) string { return "imok" }

func isro(src Source) string {
	st := src.Status()
	switch {
	case !st.Serving:
		return "null"
	case st.ReadOnly:
		return "ro"
	}
	return "rw"
}

// crst and srst begin the figures of the connections, and of the server, anew.
func crst(src Source) string {
	src.ResetConnectionStats()
	return "Connection stats reset.\n"
}

func srst(src Source) string {
	src.ResetServerStats()
	return "Server stats reset.\n"
}

// gtmk and stmk tell the trace mask of ZooKeeper's log, which has no counterpart
// here: a number of the process that changes nothing. The new one is the eight
// bytes behind the word stmk.
func gtmk(Source) string { return strconv.FormatInt(traceMask.Load(), 10) }

func stmk(behind io.Reader) string {
	var mask [8]byte
	if _, err := io.ReadFull(behind, mask[:]); err != nil {
		return ""
	}
	traceMask.Store(int64(binary.BigEndian.Uint64(mask[:])))
	return gtmk(nil)
}

var traceMask atomic.Int64

func init() { traceMask.Store(0b100110010) } // ZooKeeper's default, 306
