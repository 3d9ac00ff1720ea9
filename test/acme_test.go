package test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/muleteer/muleteer/internal/trial"
)

// A server behind a forwarded port gets a certificate from a real authority
// (Pebble), keeps it over restarts without asking again, and answers for no other
// name than those that it was told.
func TestACME(t *testing.T) {
	t.Parallel()
	address := make(chan string, 1)
	ca := pebble(t, forwarded(t, address))
	s := &server{trial.ServeWith(t, []string{"SSL_CERT_FILE=" + ca.trusted}, program, t.TempDir(),
		"--acme", "up.example.org", "--acme-email", "who@example.org", "--acme-directory", ca.directory)}
	address <- s.Address
	roots := ca.roots(t)
	greet := func(name string) (*x509.Certificate, error) {
		c, err := tls.Dial("tcp", s.Address, &tls.Config{ServerName: name, RootCAs: roots})
		if err != nil {
			return nil, err
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0], nil
	}
	// It is got before anybody asks for it.
	within(t, 2*time.Minute, "there is a certificate", func() bool { return strings.Contains(s.Log(), "a certificate is in use") })
	first, err := greet("up.example.org")
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "up.example.org"}, DisableKeepAlives: true}}
	for host, want := range map[string]int{"up.example.org": 200, "UP.example.org": 200, "other.example.org": 421} {
		request, err := http.NewRequest(http.MethodGet, "https://"+s.Address+"/uploads", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		resp, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("a request for %s: %s", host, resp.Status)
		}
	}
	for _, name := range []string{"other.example.org", "x.up.example.org", "localhost", ""} {
		if c, err := greet(name); err == nil {
			t.Errorf("%q has a certificate for %v", name, c.DNSNames)
		}
	}
	if n := ca.orders(t); n != 1 {
		t.Errorf("%d orders, not 1", n)
	}
	folder := filepath.Join(s.Dir, "muleteer-data", "state.db.acme")
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder of certificates: %v, %v", info, err)
	}

	ca.Kill()
	s.Kill()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	again, err := greet("up.example.org")
	if err != nil || !first.Equal(again) {
		t.Errorf("after a restart there is not the same certificate: %v", err)
	}
	// What cannot be had is said at once, and the page is not served without it.
	s.Kill()
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	within(t, time.Minute, "the trouble is told", func() bool {
		return strings.Contains(s.Log(), "there is no certificate; is port 443 of the host")
	})
	if _, err := greet("up.example.org"); err == nil {
		t.Error("there is a certificate from nowhere")
	}
}

// acmeServer is a Pebble of this test's own.
type acmeServer struct {
	*trial.Process
	directory  string
	management string
	trusted    string // the file with the certificate of its API
	log        string
}

// pebble starts an authority that finds all names on this machine and comes to
// the port to validate.
func pebble(t *testing.T, port int) *acmeServer {
	t.Helper()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	build := exec.Command("go", "build", "-o", in("pebble"), "github.com/letsencrypt/pebble/v2/cmd/pebble")
	build.Dir = filepath.Join("..", "tools")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building Pebble: %v\n%s", err, out)
	}
	identity := httptest.NewTLSServer(nil)
	identity.Close()
	pair := identity.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, text []byte) {
		if err := os.WriteFile(in(name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}))
	write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	a := &acmeServer{trusted: in("cert.pem"), log: in("log")}
	resolver := names(t)
	for range 20 { // a port that was free a moment ago may not be any more
		api, management := vacant(t), vacant(t)
		a.directory, a.management = "https://"+api+"/dir", "https://"+management
		config, err := json.Marshal(map[string]any{"pebble": map[string]any{
			"listenAddress": api, "managementListenAddress": management, "certificate": a.trusted, "privateKey": in("key.pem"),
			"httpPort": port, "tlsPort": port, "keyAlgorithm": "ecdsa", "retryAfter": map[string]int{"authz": 1, "order": 1},
		}})
		if err != nil {
			t.Fatal(err)
		}
		write("config.json", config)
		log, err := os.Create(a.log)
		if err != nil {
			t.Fatal(err)
		}
		child := exec.Command(in("pebble"), "-config", in("config.json"), "-dnsserver", resolver)
		child.Env = append(trial.Environment(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=20")
		a.Process, err = trial.Launch(child, log)
		log.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(a.Kill)
		within(t, time.Minute, "Pebble answers or ends", func() bool {
			return a.Ended() || a.get("/roots/0") != nil
		})
		if !a.Ended() {
			return a
		}
	}
	said, _ := os.ReadFile(a.log)
	t.Fatalf("Pebble does not start: %s", said)
	return nil
}

// get is what the management of the authority answers; nil if it does not.
func (a *acmeServer) get(path string) []byte {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // it is on this machine
	resp, err := client.Get(a.management + path)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil
	}
	return body
}

// roots are who vouches for what the authority gives.
func (a *acmeServer) roots(t *testing.T) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(a.get("/roots/0")) {
		t.Fatal("the authority has no root")
	}
	return pool
}

// orders is how many certificates were ordered.
func (a *acmeServer) orders(t *testing.T) int {
	t.Helper()
	log, err := os.ReadFile(a.log)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(log), "Added order")
}

func vacant(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// accept serves connections until the test ends.
func accept(t *testing.T, serve func(net.Conn)) net.Addr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(time.Minute))
				serve(c)
			}()
		}
	}()
	return l.Addr()
}

// forwarded is a port that leads to the address which comes.
func forwarded(t *testing.T, address chan string) int {
	t.Helper()
	return accept(t, func(c net.Conn) {
		var to string
		select {
		case to = <-address:
			address <- to
		case <-t.Context().Done():
			return
		}
		d, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		defer d.Close()
		go func() {
			_, _ = io.Copy(d, c)
			_ = d.(*net.TCPConn).CloseWrite()
		}()
		_, _ = io.Copy(c, d)
	}).(*net.TCPAddr).Port
}

// names is a DNS server, over TCP, that finds every name on this machine.
func names(t *testing.T) string {
	t.Helper()
	return accept(t, func(c net.Conn) {
		for {
			var size [2]byte
			if _, err := io.ReadFull(c, size[:]); err != nil {
				return
			}
			question := make([]byte, binary.BigEndian.Uint16(size[:]))
			var m dnsmessage.Message
			if _, err := io.ReadFull(c, question); err != nil || m.Unpack(question) != nil {
				return
			}
			m.Response, m.Additionals = true, nil
			for _, q := range m.Questions {
				if q.Type == dnsmessage.TypeA {
					m.Answers = append(m.Answers, dnsmessage.Resource{
						Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
						Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
					})
				}
			}
			answer, err := m.Pack()
			if err != nil {
				return
			}
			if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
				return
			}
		}
	}).String()
}
