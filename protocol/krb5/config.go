package krb5

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// defaultConfig is where krb5.conf is.
const defaultConfig = "/etc/krb5.conf"

// Limits on krb5.conf.
const (
	maxIncludes    = 32 // files
	maxConfigBytes = 1 << 20
)

// Config is what krb5.conf says of realms.
type Config struct {
	DefaultRealm string              // empty if it does not say
	Skew         time.Duration       // 0 if it does not say
	KDCs         map[string][]string // host or host:port of a realm's key distribution centers
	DNS          bool                // look for centers in DNS if there are none
	domains      map[string]string   // realms by host or .domain
}

// Files is where krb5.conf is, and what it includes.
type Files struct {
	Read func(path string) ([]byte, error)       // os.ReadFile
	List func(dir string) ([]fs.DirEntry, error) // os.ReadDir, by name
}

// ReadConfig reads krb5.conf (MIT Kerberos, "krb5.conf"); without a path /etc/krb5.conf,
// which need not be there. Of what one file says and another after it says too, the
// first counts, as does the first of two lines, but for centers, which add up. An error
// names file and line.
func (f Files) ReadConfig(path string) (*Config, error) {
	c := &Config{KDCs: map[string][]string{}, DNS: true, domains: map[string]string{}}
	p := configParser{files: f, to: c, said: map[string]bool{}}
	err := p.file(cmp.Or(path, defaultConfig))
	if err != nil && (path != "" || p.read > 0 || !errors.Is(err, fs.ErrNotExist)) {
		return nil, err
	}
	return c, nil
}

type configParser struct {
	files Files
	to    *Config
	read  int             // files
	said  map[string]bool // keys of libdefaults
}

func (p *configParser) file(path string) error {
	if p.read == maxIncludes {
		return fmt.Errorf("%s: more than %d files include each other", path, maxIncludes)
	}
	data, err := p.files.Read(path)
	if err != nil {
		return err
	}
	p.read++
	if len(data) > maxConfigBytes {
		return fmt.Errorf("%s: larger than 1 MiB", path)
	}
	var section string
	var within []string // names of the braces that are open
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
			continue
		case line[0] == '[':
			name, _, ok := strings.Cut(line[1:], "]")
			if !ok || len(within) > 0 {
				err = errors.New("a section where none can begin, or without ]")
			}
			section = name
		case line[0] == '}':
			if len(within) == 0 {
				err = errors.New("} without {")
			} else {
				within = within[:len(within)-1]
			}
		default:
			key, value, ok := strings.Cut(line, "=")
			key, value = strings.TrimRight(strings.TrimSpace(key), "*"), strings.TrimSpace(value)
			switch word, rest, _ := strings.Cut(line, " "); {
			case !ok && len(within) == 0 && (word == "include" || word == "includedir"):
				err = p.include(word, strings.TrimSpace(rest))
			case !ok && word == "module":
				err = nil // a parser of its own, in a library
			case !ok:
				err = errors.New("neither KEY = VALUE nor a section")
			case strings.HasPrefix(value, "{") && strings.HasSuffix(value, "}"):
				err = nil // nothing that is known here stands on one line
			case strings.HasPrefix(value, "{"):
				within = append(within, key)
			default:
				err = p.set(append([]string{section}, within...), key, strings.Trim(value, `"`))
			}
		}
		if err != nil {
			return fmt.Errorf("%s: line %d: %w", path, number, err)
		}
	}
	if len(within) > 0 {
		return fmt.Errorf("%s: { without }", path)
	}
	return nil
}

// include takes a file, or of a directory those that MIT takes.
func (p *configParser) include(word, path string) error {
	if word == "include" {
		return p.file(path)
	}
	entries, err := p.files.List(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		simple := !strings.ContainsFunc(name, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
		})
		if simple || strings.HasSuffix(name, ".conf") && name[0] != '.' {
			if err := p.file(filepath.Join(path, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *configParser) set(where []string, key, value string) error {
	c := p.to
	switch {
	case len(where) == 1 && where[0] == "libdefaults":
		if p.said[key] {
			return nil
		}
		p.said[key] = true
		switch key {
		case "default_realm":
			c.DefaultRealm = value
		case "clockskew":
			skew, err := parseSpan(value)
			if err != nil {
				return fmt.Errorf("clockskew = %s: %w", value, err)
			}
			c.Skew = skew
		case "dns_lookup_kdc":
			c.DNS = !slices.Contains([]string{"n", "no", "false", "f", "nil", "0", "off"}, strings.ToLower(value))
		}
	case len(where) == 2 && where[0] == "realms" && (key == "kdc" || key == "master_kdc" || key == "primary_kdc"):
		if kdc, ok := centerAddr(value); ok && !slices.Contains(c.KDCs[where[1]], kdc) {
			c.KDCs[where[1]] = append(c.KDCs[where[1]], kdc)
		}
	case len(where) == 1 && where[0] == "domain_realm":
		key = strings.ToLower(key)
		if _, ok := c.domains[key]; !ok {
			c.domains[key] = value
		}
	}
	return nil
}

// centerAddr takes host, host:port or tcp/host; not what is reached by a proxy or by
// datagrams only.
func centerAddr(value string) (string, bool) {
	value = strings.TrimPrefix(value, "tcp/")
	return value, value != "" && !strings.Contains(value, "/")
}

// parseSpan takes seconds, or 1h30m.
func parseSpan(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if seconds, number := strconv.Atoi(value); number == nil {
		d, err = time.Duration(seconds)*time.Second, nil
	}
	if err != nil || d < time.Second || d > 24*time.Hour {
		return 0, errors.New("give from 1 second to 24 hours, as 300 or 5m")
	}
	return d, nil
}

// RealmOf returns the realm that a host is said to be in, "" if nothing is said.
func (c *Config) RealmOf(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if realm, ok := c.domains[host]; ok {
		return realm
	}
	for domain := host; ; {
		_, rest, ok := strings.Cut(domain, ".")
		if !ok {
			return ""
		}
		if realm, ok := c.domains["."+rest]; ok {
			return realm
		}
		if realm, ok := c.domains[rest]; ok {
			return realm
		}
		domain = rest
	}
}
