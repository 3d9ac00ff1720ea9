package hook

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
)

// special are the networks in which nobody on the Internet is: those that
// https://www.iana.org/assignments/iana-ipv4-special-registry and its sister for
// IPv6 list, with multicast and what is reserved.
var special = []string{
	"0.0.0.0/8",
	"10.0.0.0/8",
	"100.64.0.0/10",
	"127.0.0.0/8",
	"169.254.0.0/16", // the metadata of clouds, too
	"172.16.0.0/12",
	"192.0.0.0/24",
	"192.0.2.0/24",
	"192.88.99.0/24",
	"192.168.0.0/16",
	"198.18.0.0/15",
	"198.51.100.0/24",
	"203.0.113.0/24",
	"224.0.0.0/3",
	"::/96", // addresses of IPv4 in an old form, and ::1
	"64:ff9b:1::/48",
	"100::/64",
	"2001::/23",
	"2001:db8::/32",
	"3fff::/20",
	"5f00::/16",
	"fc00::/7",
	"fe80::/9",
	"ff00::/8",
}

// guard decides to which addresses connections may go. It looks at the address
// that is connected, after the name was looked up, so that no name can lie.
type guard struct {
	special  []netip.Prefix
	allow    []netip.Prefix
	loopback bool // what was configured names this machine itself
}

// newGuard returns the guard of one URL.
func newGuard(u *url.URL, allow []netip.Prefix) guard {
	host := u.Hostname()
	ip, err := netip.ParseAddr(host)
	g := guard{allow: allow, loopback: host == "localhost" || err == nil && ip.Unmap().IsLoopback()}
	for _, p := range special {
		g.special = append(g.special, netip.MustParsePrefix(p))
	}
	return g
}

// control is net.Dialer's.
func (g guard) control(network, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("no connection to %s %s", network, address)
	}
	return g.check(to.Addr())
}

// check refuses an address inside, unless it was allowed.
func (g guard) check(ip netip.Addr) error {
	ip = plain(ip)
	in := func(networks []netip.Prefix) bool {
		return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(ip) })
	}
	if !in(g.special) || in(g.allow) || g.loopback && ip.IsLoopback() {
		return nil
	}
	return &net.AddrError{Err: "it is not a public address; if the receiver is there, allow its network by --hook-allow", Addr: ip.String()}
}

// plain returns the address to which packets go in the end: NAT64 has an address
// of IPv4 in the last four bytes (RFC 6052), 6to4 from the third on (RFC 3056).
func plain(ip netip.Addr) netip.Addr {
	ip = ip.Unmap().WithZone("")
	if !ip.Is6() {
		return ip
	}
	b := ip.As16()
	switch {
	case [12]byte(b[:12]) == [12]byte{0, 0x64, 0xff, 0x9b}:
		return netip.AddrFrom4([4]byte(b[12:]))
	case b[0] == 0x20 && b[1] == 0x02:
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return ip
}
