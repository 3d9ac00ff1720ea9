package hook

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/muleteer/muleteer/upload"
)

func TestGuard(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		url, allow, to string
		ok             bool
	}{
		{"http://example.org", "", "93.184.216.34", true},
		{"http://example.org", "", "8.8.8.8", true},
		{"http://example.org", "", "2606:2800:220:1::1", true},
		{"http://example.org", "", "223.255.255.255", true},
		{"http://example.org", "", "172.32.0.1", true},
		{"http://example.org", "", "64:ff9b::8.8.8.8", true},
		{"http://example.org", "", "2002:808:808::1", true},
		{"http://example.org", "", "127.0.0.1", false},
		{"http://example.org", "", "127.255.255.254", false},
		{"http://example.org", "", "::1", false},
		{"http://example.org", "", "::", false},
		{"http://example.org", "", "0.0.0.0", false},
		{"http://example.org", "", "0.1.2.3", false},
		{"http://example.org", "", "10.1.2.3", false},
		{"http://example.org", "", "172.16.0.1", false},
		{"http://example.org", "", "172.31.255.255", false},
		{"http://example.org", "", "192.168.1.1", false},
		{"http://example.org", "", "192.0.0.192", false},
		{"http://example.org", "", "100.100.100.200", false},
		{"http://example.org", "", "169.254.169.254", false},
		{"http://example.org", "", "198.19.0.1", false},
		{"http://example.org", "", "224.0.0.1", false},
		{"http://example.org", "", "240.0.0.1", false},
		{"http://example.org", "", "255.255.255.255", false},
		{"http://example.org", "", "::ffff:127.0.0.1", false},
		{"http://example.org", "", "::ffff:10.0.0.1", false},
		{"http://example.org", "", "::ffff:169.254.169.254", false},
		{"http://example.org", "", "::7f00:1", false},
		{"http://example.org", "", "64:ff9b::7f00:1", false},
		{"http://example.org", "", "64:ff9b::10.0.0.1", false},
		{"http://example.org", "", "64:ff9b::a9fe:a9fe", false},
		{"http://example.org", "", "64:ff9b:1::1", false},
		{"http://example.org", "", "2002:7f00:1::", false},
		{"http://example.org", "", "2002:a9fe:a9fe::", false},
		{"http://example.org", "", "2001::1", false},
		{"http://example.org", "", "2001:db8::1", false},
		{"http://example.org", "", "fc00::1", false},
		{"http://example.org", "", "fd00:ec2::254", false},
		{"http://example.org", "", "fe80::1", false},
		{"http://example.org", "", "fe80::1%eth0", false},
		{"http://example.org", "", "fec0::1", false},
		{"http://example.org", "", "ff02::1", false},
		{"http://localhost:8080", "", "127.0.0.1", true},
		{"http://localhost:8080", "", "::1", true},
		{"http://localhost:8080", "", "10.0.0.1", false},
		{"http://127.0.0.1", "", "127.0.0.1", true},
		{"http://127.0.0.1", "", "64:ff9b::7f00:1", true}, // the same place, by another way
		{"http://[::1]", "", "::1", true},
		{"http://[::ffff:127.0.0.1]", "", "127.0.0.1", true},
		{"http://localhost.example.org", "", "127.0.0.1", false},
		{"http://127.0.0.1.example.org", "", "127.0.0.1", false},
		{"http://10.0.0.1", "", "10.0.0.1", false},
		{"http://10.0.0.1", "10.0.0.0/8", "10.0.0.1", true},
		{"http://10.0.0.1", "10.0.0.0/8", "::ffff:10.0.0.1", true},
		{"http://10.0.0.1", "10.0.0.0/24", "10.0.1.1", false},
		{"http://10.0.0.1", "10.0.0.0/8", "192.168.0.1", false},
		{"http://example.org", "127.0.0.1/32", "127.0.0.1", true},
		{"http://example.org", "127.0.0.1/32", "127.0.0.2", false},
		{"http://example.org", "fd00::/8", "fd00::1", true},
	} {
		u, err := url.Parse(c.url)
		if err != nil {
			t.Fatal(err)
		}
		var allow []netip.Prefix
		if c.allow != "" {
			allow = append(allow, netip.MustParsePrefix(c.allow))
		}
		network := "tcp6"
		if strings.Contains(c.to, ".") && !strings.Contains(c.to, ":") {
			network = "tcp4"
		}
		err = newGuard(u, allow).control(network, net.JoinHostPort(c.to, "80"), nil)
		if (err == nil) != c.ok {
			t.Errorf("%s may go to %s: %v, want %v", c.url, c.to, err, c.ok)
		}
	}
	if (guard{}).control("udp", "8.8.8.8:53", nil) == nil || (guard{}).control("tcp4", "8.8.8.8", nil) == nil {
		t.Error("what is no address of TCP was let through")
	}
}

// A name that means an address inside is refused when it is dialled, and so is a
// way there by a redirect.
func TestWebGoesNowhereElse(t *testing.T) {
	t.Parallel()
	hits := make(chan string, 10)
	inside := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { hits <- r.URL.Path }))
	t.Cleanup(inside.Close)
	_, port, _ := net.SplitHostPort(inside.Listener.Addr().String())
	// The resolver of every machine knows these as itself, and none of them is
	// localhost by name.
	for _, host := range []string{"ip6-localhost", "ip6-loopback", "localhost.localdomain", "0.0.0.0", "[::]"} {
		w, err := NewWeb(WebOptions{URL: "http://" + host + ":" + port + "/name"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := New(w, Ours{})(context.Background(), upload.Turn{Kind: upload.Completed}); err == nil {
			t.Errorf("%s was reached", host)
		}
	}
	redirecting := httptest.NewServer(http.RedirectHandler(inside.URL+"/redirect", http.StatusTemporaryRedirect))
	t.Cleanup(redirecting.Close)
	w, err := NewWeb(WebOptions{URL: redirecting.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	_, err = New(w, Ours{})(context.Background(), upload.Turn{Kind: upload.Completed})
	if err == nil || !strings.Contains(err.Error(), "307") {
		t.Errorf("a redirect is %v", err)
	}
	select {
	case path := <-hits:
		t.Errorf("%s was reached", path)
	default:
	}
}
