package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
)

// announce tells who started the server where everything is.
func (h *house) announce(ctx context.Context, w io.Writer, listeners []net.Listener) {
	s := h.settings
	space := ""
	if free, err := h.kept.free(ctx); err == nil && free >= 0 {
		space = fmt.Sprintf(", %v free", size(free))
	}
	fmt.Fprintf(w, "muleteer %s  state %s  store %s%s\n", release, h.kept.stateAt, h.kept.storeAt, space)
	base := strings.TrimSuffix(s.PublicURL, "/")
	hosts := s.TLS.ACME.Hosts
	switch {
	case base == "" && len(hosts) > 0:
		base = "https://" + hosts[0]
	case base == "":
		base = h.address(listeners[0])
	}
	line := func(branch, name, text string) { fmt.Fprintf(w, "%s %-16s%s\n", branch, name, text) }
	line("├─", "Upload page", base+"/")
	line("├─", "tus", base+"/tus/        (also at /files/)")
	line("├─", "PUT, curl -T", base+"/upload/     (Content-Range, forms)")
	line("├─", "Socket.IO", base+"/streams      (a page; the socket is at /socket.io/)")
	for _, name := range s.Old.Demo {
		line("├─", "Demo", base+"/"+name)
	}
	line("├─", "Uploads", base+"/uploads     (JSON; files at /files/ID)")
	line("├─", "Metrics", base+"/metrics")
	for _, e := range h.all()[1:] {
		line("├─", "Endpoint", base+"/"+e.name+"/       ("+e.settings.whose()+")")
	}
	for _, l := range listeners[1:] {
		line("├─", "Also at", h.address(l)+"/")
	}
	if len(hosts) > 0 {
		line("├─", "Certificates", fmt.Sprintf("for %s, by ACME: port 443 there has to lead to %s", strings.Join(hosts, ", "), listeners[0].Addr()))
	}
	limit := "any size"
	if s.MaxSize > 0 {
		limit = "up to " + s.MaxSize.String()
	}
	line("├─", "Takes", fmt.Sprintf("files of %s; unfinished ones are removed after %v; acknowledged bytes survive %s",
		limit, s.Expire, map[string]string{"power": "a power cut", "process": "a crash of the program, not a power cut"}[s.Storage.Durability]))
	line("├─", "Without a name", s.anonymity())
	line("└─", "Who may upload", s.audience())
}

// audience tells who may upload, and how that is changed.
func (s *settings) audience() string {
	certificates := s.TLS.ClientCA != ""
	if !s.Allow.anonymous(certificates) {
		return s.Allow.audience(certificates)
	}
	others := "nobody but this machine sees the list"
	if s.Allow.asks(certificates) {
		others = s.Allow.audience(certificates) + " has uploads of its own"
	}
	switch {
	case s.shared():
		return "everybody who can reach this machine (--open); " + others
	case s.Allow.Open:
		return "everybody on this machine, and everybody whom a proxy lets through; --listen :8080 lets the others in"
	}
	return "everybody on this machine; to let others in: --open --listen :8080, or better a token or your application’s login (docs/auth.md)"
}

// whose tells in a word who may upload.
func (s *settings) whose() string {
	if certificates := s.TLS.ClientCA != ""; !s.Allow.anonymous(certificates) {
		return s.Allow.audience(certificates)
	}
	return "everybody"
}

// anonymity tells what people without a name may see of each other.
func (s *settings) anonymity() string {
	if !s.Allow.anonymous(s.TLS.ClientCA != "") {
		return "nobody"
	}
	return s.Allow.meeting()
}

// address is the URL at which a listener is reached from here.
func (h *house) address(l net.Listener) string {
	host, port, _ := net.SplitHostPort(l.Addr().String())
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return h.settings.TLS.scheme() + "://" + net.JoinHostPort(host, port)
}
