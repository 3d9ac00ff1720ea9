// Command album is an application that lets its users upload by muleteer: it
// knows who they are, signs what they may do, hears what has arrived, and links to
// it. README.md beside it says how to start both. What a real one keeps in its
// database is in memory here.
package main

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

//go:embed page.html
var html string

// user is the one who has a login here.
const user = "ann"

// album is the application.
type album struct {
	muleteer    string // its URL
	tokenSecret []byte // signs what people may do there
	hookSecret  []byte // signs what it tells us
	password    string
	session     string // the cookie of who is logged in, until the next start
	page        *template.Template

	mu    sync.Mutex
	files map[string]string // names, by the id of the upload
}

// open reads the settings. Without secrets there is no application.
func open() (*album, error) {
	tokenSecret, err := os.ReadFile(os.Getenv("TOKEN_SECRET_FILE"))
	if err != nil || len(bytes.TrimSpace(tokenSecret)) < 32 {
		return nil, errors.New("TOKEN_SECRET_FILE has to name the file that muleteer has as --token-secret-file")
	}
	text, err := os.ReadFile(os.Getenv("HOOK_SECRET_FILE"))
	hookSecret, bad := base64.StdEncoding.DecodeString(strings.TrimPrefix(strings.TrimSpace(string(text)), "whsec_"))
	if err != nil || bad != nil || len(hookSecret) < 24 {
		return nil, errors.New("HOOK_SECRET_FILE has to name the file that muleteer has as --hook-secret-file")
	}
	if os.Getenv("PASSWORD") == "" {
		return nil, errors.New("PASSWORD has to be set: it is " + user + "'s")
	}
	page, err := template.New("page").Parse(html)
	return &album{
		muleteer:    cmp.Or(os.Getenv("MULETEER_URL"), "http://127.0.0.1:8080"),
		tokenSecret: bytes.TrimSpace(tokenSecret), hookSecret: hookSecret, password: os.Getenv("PASSWORD"),
		session: rand.Text(), page: page, files: map[string]string{},
	}, err
}

func main() {
	a, err := open()
	if err != nil {
		log.Fatal(err)
	}
	address := cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:3000")
	log.Printf("http://%s/", address)
	log.Fatal(http.ListenAndServe(address, a.handler()))
}

func (a *album) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("POST /login", a.login)
	mux.HandleFunc("GET /token", func(w http.ResponseWriter, r *http.Request) {
		if !a.known(r) {
			http.Error(w, "log in first", http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, a.uploadToken())
	})
	mux.HandleFunc("POST /events", a.event)
	return http.NewCrossOriginProtection().Handler(mux)
}

// token signs what its bearer may do at muleteer (docs/auth.md).
func (a *album) token(lasts time.Duration, claims jwt.MapClaims) string {
	claims["exp"] = time.Now().Add(lasts).Unix()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(a.tokenSecret)
	if err != nil {
		panic(err) // there is nothing in it that could not be signed
	}
	return token
}

func (a *album) uploadToken() string {
	return a.token(10*time.Minute, jwt.MapClaims{
		"sub": user, "verbs": []string{"create", "write", "status"}, "max_size": 1 << 30, "max_open": 20, "prefix": "album/" + user,
	})
}

// link is where a file can be read for a while, by whoever has the link.
func (a *album) link(id string) string {
	return a.muleteer + "/files/" + id + "?token=" + a.token(10*time.Minute, jwt.MapClaims{"upload": id, "verbs": []string{"read"}})
}

func (a *album) known(r *http.Request) bool {
	c, err := r.Cookie("session")
	return err == nil && subtle.ConstantTimeCompare([]byte(c.Value), []byte(a.session)) == 1
}

func (a *album) login(w http.ResponseWriter, r *http.Request) {
	given := sha256.Sum256([]byte(r.PostFormValue("password")))
	if want := sha256.Sum256([]byte(a.password)); subtle.ConstantTimeCompare(given[:], want[:]) == 0 {
		http.Error(w, "that is not the password", http.StatusUnauthorized)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: "session", Value: a.session, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *album) home(w http.ResponseWriter, r *http.Request) {
	view := struct {
		User, Muleteer, Token string
		Files                 map[string]string // links, by name and id
	}{Muleteer: a.muleteer, Files: map[string]string{}}
	if a.known(r) {
		view.User, view.Token = user, a.uploadToken()
		a.mu.Lock()
		for id, name := range a.files {
			view.Files[name+" ("+id+")"] = a.link(id)
		}
		a.mu.Unlock()
	}
	w.Header().Set("Cache-Control", "no-store")
	if err := a.page.Execute(w, view); err != nil {
		log.Print(err)
	}
}

// event hears from muleteer what has happened (docs/events.md). It may hear it
// twice: to note a file twice is to note it once.
func (a *album) event(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil || !a.genuine(r.Header, body) {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	var event struct {
		Kind   string
		Upload struct{ ID, Owner, Name string }
	}
	if err := json.Unmarshal(body, &event); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	id := event.Upload.ID
	switch {
	case event.Upload.Owner != user:
	case event.Kind == "removed":
		a.mu.Lock()
		delete(a.files, id)
		a.mu.Unlock()
	case event.Kind == "completed":
		a.mu.Lock()
		a.files[id] = event.Upload.Name
		a.mu.Unlock()
		// It is noted, so the file is to stay. If this fails, the event comes again.
		if err := a.confirm(r, id); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	}
}

func (a *album) confirm(r *http.Request, id string) error {
	request, err := http.NewRequestWithContext(r.Context(), http.MethodPost, a.muleteer+"/uploads/"+id+"/confirm", nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+a.token(time.Minute, jwt.MapClaims{"upload": id, "verbs": []string{"manage"}}))
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone {
		return nil // it was removed meanwhile, which comes as an event too
	}
	if resp.StatusCode > 299 {
		return errors.New("muleteer confirms nothing: " + resp.Status)
	}
	return nil
}

// genuine tells whether a message is muleteer's, and new (Standard Webhooks).
func (a *album) genuine(h http.Header, body []byte) bool {
	sent, err := strconv.ParseInt(h.Get("webhook-timestamp"), 10, 64)
	if err != nil || time.Since(time.Unix(sent, 0)).Abs() > 5*time.Minute {
		return false
	}
	mac := hmac.New(sha256.New, a.hookSecret)
	fmt.Fprintf(mac, "%s.%d.%s", h.Get("webhook-id"), sent, body)
	want := []byte("v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	for signature := range strings.FieldsSeq(h.Get("webhook-signature")) {
		if hmac.Equal([]byte(signature), want) {
			return true
		}
	}
	return false
}
