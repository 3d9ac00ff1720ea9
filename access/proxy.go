package access

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// Proxies are the networks of proxies whose word is believed.
type Proxies []netip.Prefix

// ParseProxies reads networks ("10.0.0.0/8") and addresses.
func ParseProxies(list []string) (Proxies, error) {
	var p Proxies
	for _, s := range list {
		network, err := netip.ParsePrefix(s)
		if err != nil {
			a, err := netip.ParseAddr(s)
			if err != nil {
				return nil, fmt.Errorf("%q is no network: write 10.0.0.0/8 or 192.0.2.1", s)
			}
			network = netip.PrefixFrom(a, a.BitLen())
		}
		p = append(p, network)
	}
	return p, nil
}

// Loopback is this machine.
func Loopback() Proxies {
	return Proxies{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

// contain tells whether an address, with or without a port, is in a network.
func (p Proxies) contain(address string) (netip.Addr, bool) {
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	a, err := netip.ParseAddr(strings.Trim(address, "[]"))
	if err != nil {
		return netip.Addr{}, false
	}
	a = a.Unmap().WithZone("")
	for _, network := range p {
		if network.Contains(a) {
			return a, true
		}
	}
	return a, false
}

// A Way is how a request came here.
type Way struct {
	Trusted bool // from a proxy whose word is believed
	Relayed bool // through a proxy, or so it says
	Local   bool // from a program on this machine
}

type wayKey struct{}

// WayOf returns how a request came; see Believe.
func WayOf(r *http.Request) Way {
	w, _ := r.Context().Value(wayKey{}).(Way)
	return w
}

// relays are the headers that a proxy may set.
func relays() []string {
	return []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via"}
}

// Believe returns r as a trusted proxy tells that it came: with the address of
// the client, and the scheme and host that it used. Nobody else's word changes
// anything. Every request has to pass here before anything else looks at it.
func (p Proxies) Believe(r *http.Request) *http.Request {
	var way Way
	_, way.Trusted = p.contain(r.RemoteAddr)
	for _, name := range relays() {
		way.Relayed = way.Relayed || len(r.Header.Values(name)) > 0
	}
	_, own := Loopback().contain(r.RemoteAddr)
	way.Local = own && !way.Relayed
	b := r.WithContext(context.WithValue(r.Context(), wayKey{}, way))
	if !way.Trusted || !way.Relayed {
		return b
	}
	told := p.told(r.Header)
	if told.address.IsValid() {
		b.RemoteAddr = net.JoinHostPort(told.address.String(), "0")
	}
	if told.host != "" {
		b.Host = told.host
	}
	b.URL = new(url.URL)
	*b.URL = *r.URL
	if told.scheme != "" {
		b.URL.Scheme = told.scheme
	}
	return b
}

// told is what proxies say of a request; zero values are not said.
type told struct {
	address      netip.Addr
	scheme, host string
}

// told goes from proxy to proxy, the nearest first, up to the one that is not
// trusted: what that one says of others is worth nothing. Where a proxy writes
// both kinds of headers, or a client one that its proxy does not know,
// X-Forwarded-For counts.
func (p Proxies) told(h http.Header) told {
	var t told
	if addresses := words(h, "X-Forwarded-For"); addresses != nil {
		for i := len(addresses) - 1; i >= 0; i-- {
			a, trusted := p.contain(addresses[i])
			if !a.IsValid() {
				break
			}
			if t.address = a; !trusted {
				break
			}
		}
	} else {
		hops := Forwarded(h.Values("Forwarded"))
		for i := len(hops) - 1; i >= 0; i-- {
			a, trusted := p.contain(hops[i]["for"])
			t.scheme, t.host = scheme(hops[i]["proto"]), host(hops[i]["host"])
			if !a.IsValid() {
				break
			}
			if t.address = a; !trusted {
				break
			}
		}
	}
	if list := words(h, "X-Forwarded-Proto"); list != nil {
		t.scheme = scheme(list[len(list)-1])
	}
	if list := words(h, "X-Forwarded-Host"); list != nil {
		t.host = host(list[len(list)-1])
	}
	return t
}

// words are the values of a header that is a list.
func words(h http.Header, name string) []string {
	if len(h.Values(name)) == 0 {
		return nil
	}
	list := strings.Split(strings.Join(h.Values(name), ","), ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

func scheme(s string) string {
	if s = strings.ToLower(s); s == "http" || s == "https" {
		return s
	}
	return ""
}

// host returns a host with or without a port, "" if it is none.
func host(s string) string {
	if s == "" || strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:[]") != "" {
		return ""
	}
	if u, err := url.Parse("http://" + s); err != nil || u.Host != s {
		return ""
	}
	return s
}

// Forwarded reads the lines of a Forwarded header (RFC 7239, section 4): one map
// for each proxy, by the names of parameters in lower case. It ends where
// something is not as it should be.
func Forwarded(lines []string) []map[string]string {
	var hops []map[string]string
	rest := strings.Join(lines, ",")
	for hop := map[string]string{}; ; {
		name, value, after, ok := forwardedPair(strings.TrimLeft(rest, " \t"))
		if _, twice := hop[name]; !ok || twice {
			return hops
		}
		hop[name] = value
		after = strings.TrimLeft(after, " \t")
		switch {
		case after == "":
			return append(hops, hop)
		case after[0] == ',':
			hops, hop = append(hops, hop), map[string]string{}
		case after[0] != ';':
			return hops
		}
		rest = after[1:]
	}
}

// forwardedPair reads name=value, where the value may be quoted.
func forwardedPair(s string) (name, value, rest string, ok bool) {
	name, rest, ok = strings.Cut(s, "=")
	if name = strings.ToLower(name); !ok || name == "" || strings.ContainsAny(name, " \t\",;") {
		return "", "", "", false
	}
	if !strings.HasPrefix(rest, `"`) {
		n := strings.IndexAny(rest, " \t\",;")
		if n < 0 {
			n = len(rest)
		}
		return name, rest[:n], rest[n:], n > 0
	}
	var b strings.Builder
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '"':
			return name, b.String(), rest[i+1:], true
		case c == '\\' && i+1 < len(rest):
			i++
			b.WriteByte(rest[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", "", false
}

// proxied returns who a trusted proxy says that it is; "" if it says nothing.
// From anybody else that is an attempt, and is refused.
func (g *Gate) proxied(r *http.Request) (string, error) {
	if g.Header == "" {
		return "", nil
	}
	owner, there, err := wire.Header(r.Header, g.Header)
	if !there {
		return "", nil
	}
	if !WayOf(r).Trusted {
		g.log().Warn("a request tells who it is and comes from no trusted proxy", "header", g.Header, "from", address(r))
		return "", fmt.Errorf("%w: %s is believed only from a proxy that is trusted (--trusted-proxy)", upload.ErrDenied, g.Header)
	}
	return owner, err
}
