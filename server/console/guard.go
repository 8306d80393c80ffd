package console

import (
	"net/http"
	"net/netip"
)

// policy lets the page run and load what this server gives it, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"manifest-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// secure sets what every answer carries, errors included.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Embedder-Policy", "require-corp")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=(), clipboard-read=()")
	h.Set("Cache-Control", "no-store")
}

// admit says whether a request may come in at all, and else answers it.
func (c *Console) admit(w http.ResponseWriter, r *http.Request) bool {
	if c.cfg.LoopbackOnly && !peer(r).IsLoopback() {
		fail(w, http.StatusForbidden, "NotLoopback", "the console is for this host alone: come through a tunnel to it, or set admin.ui=on")
		return false
	}
	if !c.cfg.Knows(r.Host) {
		fail(w, http.StatusMisdirectedRequest, "UnknownHost", "this server is not known by this name: use its address, or name it in admin.uiHosts")
		return false
	}
	if err := c.origins.Check(r); err != nil {
		fail(w, http.StatusForbidden, "CrossOrigin", "the request comes from another site")
		return false
	}
	return true
}

// peer is the address that a request comes from.
func peer(r *http.Request) netip.Addr {
	addr, _ := netip.ParseAddrPort(r.RemoteAddr)
	return addr.Addr().Unmap().WithZone("")
}
