package acl

import (
	"net/netip"
	"strconv"
	"strings"
)

// ipNet is an address with the number of leading bits that count.
type ipNet struct {
	addr [16]byte // IPv4 in the first four
	size int      // bytes in use: 4 or 16
	bits int
}

// contains reports whether the address, in the text form of an ip identity,
// has the same first bits and is of the same family. Text that is no address,
// such as one with a scope, is contained nowhere.
func (n ipNet) contains(id string) bool {
	addr, size, ok := parseAddr(id)
	if !ok || size != n.size {
		return false
	}
	whole, rest := n.bits/8, n.bits%8
	if string(addr[:whole]) != string(n.addr[:whole]) {
		return false
	}
	return rest == 0 || (addr[whole]^n.addr[whole])>>(8-rest) == 0
}

// parseIP reads the id of an ip entry: an address, optionally "/" and a number
// of bits. It accepts what ZooKeeper 3.9.4 does (IPAuthenticationProvider),
// whose number parser takes signs and leading zeros, "+8" and "-0" included.
func parseIP(id string) (n ipNet, ok bool) {
	text, bits, masked := strings.Cut(id, "/")
	if n.addr, n.size, ok = parseAddr(text); !ok {
		return ipNet{}, false
	}
	n.bits = 8 * n.size
	if masked {
		v, err := strconv.ParseInt(bits, 10, 32)
		if err != nil || v < 0 || v > int64(n.bits) {
			return ipNet{}, false
		}
		n.bits = int(v)
	}
	return n, true
}

// parseAddr reads an address and says how many bytes it has.
func parseAddr(s string) (addr [16]byte, size int, ok bool) {
	if strings.IndexByte(s, ':') >= 0 {
		addr, ok = parseIPv6(s)
		return addr, 16, ok
	}
	addr, ok = parseIPv4(s)
	return addr, 4, ok
}

// parseIPv4 reads four decimal numbers with dots between.
func parseIPv4(s string) (addr [16]byte, ok bool) {
	for i := range 4 {
		part, rest, more := strings.Cut(s, ".")
		if more != (i < 3) {
			return addr, false
		}
		v, err := strconv.ParseInt(part, 10, 32)
		if err != nil || v < 0 || v > 255 {
			return addr, false
		}
		addr[i], s = byte(v), rest
	}
	return addr, true
}

// parseIPv6 reads eight groups, or fewer and one "::" for the missing ones.
// An IPv4 tail is not accepted.
func parseIPv6(s string) (addr [16]byte, ok bool) {
	head, tail, short := strings.Cut(s, "::")
	if strings.Contains(tail, "::") {
		return addr, false
	}
	n, ok := parseGroups(head, addr[:])
	if !ok || !short {
		return addr, ok && n == 8
	}
	var back [16]byte
	m, ok := parseGroups(tail, back[:])
	if !ok || n+m >= 8 {
		return addr, false
	}
	copy(addr[16-2*m:], back[:2*m])
	return addr, true
}

// parseGroups reads groups of one to four hex digits with colons between into
// dst, which has room for eight, and returns their number: none for "".
func parseGroups(s string, dst []byte) (n int, ok bool) {
	for more := s != ""; more; n++ {
		var part string
		part, s, more = strings.Cut(s, ":")
		if n == 8 || len(part) > 4 {
			return n, false
		}
		// Signs pass, as in ZooKeeper: "-1" is ffff.
		v, err := strconv.ParseInt(part, 16, 32)
		if err != nil {
			return n, false
		}
		dst[2*n], dst[2*n+1] = byte(v>>8), byte(v)
	}
	return n, true
}

// IPText returns the id of the scheme ip for a client's address: the form of
// Java's InetAddress.getHostAddress, a dotted quad for IPv4 (also when it comes
// mapped into IPv6) and eight groups without zero compression for IPv6, with
// "%" and the scope if there is one. "" for the zero Addr.
func IPText(addr netip.Addr) string {
	addr = addr.Unmap()
	if !addr.Is6() {
		if !addr.IsValid() {
			return ""
		}
		return addr.String()
	}
	b16 := addr.As16()
	text := make([]byte, 0, 40+len(addr.Zone()))
	for i := 0; i < 16; i += 2 {
		if i > 0 {
			text = append(text, ':')
		}
		text = strconv.AppendUint(text, uint64(b16[i])<<8|uint64(b16[i+1]), 16)
	}
	if zone := addr.Zone(); zone != "" {
		text = append(append(text, '%'), zone...)
	}
	return string(text)
}
