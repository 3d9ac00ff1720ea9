package browser

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	_ "modernc.org/sqlite"

	"github.com/muleteer/muleteer/access"
	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/internal/trial"
)

// TestElsewhere: what was begun in one browser is finished in another, at once and
// two days later. What the first one was told that it is here is not sent again by
// the second, whatever that one calls its file.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	const secret = "a-secret-of-more-than-thirty-two-bytes"
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newStage(t, "--token-secret-file", file)
	e := &elsewhere{stage: s, words: map[string]string{}, safe: map[string]extent.Set{}}
	for who, token := range map[string]*string{"ann": &e.ann, "bob": &e.bob} {
		var err error
		claims := &access.Claims{RegisteredClaims: jwt.RegisteredClaims{Subject: who, ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour))}}
		if *token, err = access.Mint(claims, []byte(secret)); err != nil {
			t.Fatal(err)
		}
	}
	// A file is what is sent to one address: a client that calls it otherwise
	// tomorrow sends it twice.
	s.line.name = func(r *http.Request) string { return r.URL.Path }
	s.line.seen = e.seen
	s.more = map[string]func(string) (string, error){
		"token":    func(string) (string, error) { return e.ann, nil },
		"died":     e.died,
		"found":    e.found,
		"stop":     func(string) (string, error) { s.server.End(t); return "", nil },
		"age":      e.age,
		"finished": e.finished,
	}
	s.file(t, "one.bin", trial.Noise(60_000_000, 24))
	s.file(t, "two.bin", trial.Noise(60_000_000, 25))
	s.play(t, "elsewhere")
	s.arrived(t, filepath.Base)
	s.again(t, 2)
	if e.sent == 0 {
		t.Error("nothing was seen of the second browsers")
	}
}

// elsewhere is what the test knows of two people with one token.
type elsewhere struct {
	*stage
	ann, bob string // tokens

	mu    sync.Mutex
	words map[string]string     // of the files, as the page has last told them
	safe  map[string]extent.Set // what the first browser was told to be here, since that died
	sent  int64                 // bytes that others were sending then
	wrong []string
}

// seen notes what passes: a request for a file, and bytes of it.
func (e *elsewhere) seen(file, word string, bytes extent.Extent) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.words[file] = word
	safe, after := e.safe[file]
	if !after {
		return
	}
	e.sent += bytes.Len()
	if n := common(safe, bytes); n > 0 {
		e.wrong = append(e.wrong, fmt.Sprintf("%s: %d bytes of %v are sent that had been acknowledged", file, n, bytes))
	}
}

// died notes, when the first browser is dead, what it had been told.
func (e *elsewhere) died(string) (string, error) {
	e.line.cut()
	e.line.mu.Lock()
	there := map[string]extent.Set{}
	for file, a := range e.line.files {
		there[file] = slices.Clone(a.there)
	}
	e.line.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	for file, set := range there {
		if _, before := e.safe[file]; before {
			continue
		}
		if e.safe[file] = set; set.Len() < 2*chunk {
			return "", fmt.Errorf("only %d bytes of %s were acknowledged, which proves little", set.Len(), file)
		}
	}
	return "", nil
}

// found asks the server for the file by the page's own word for it: it is there
// with all that was acknowledged, for its owner alone.
func (e *elsewhere) found(name string) (string, error) {
	e.mu.Lock()
	word, safe := e.words["/upload/"+name], e.safe["/upload/"+name]
	e.mu.Unlock()
	for token, want := range map[string]int{e.ann: 1, e.bob: 0} {
		all, err := e.uploads(word, token)
		if err != nil || len(all) != want {
			return "", fmt.Errorf("%d uploads of %s are found by %q, and not %d (%v)", len(all), name, word, want, err)
		}
		if want == 0 {
			continue
		}
		var here extent.Set
		for r := range strings.SplitSeq(all[0].Ranges, ",") {
			var first, last int64
			if _, err := fmt.Sscanf(r, "%d-%d", &first, &last); err != nil {
				return "", err
			}
			here = here.Add(extent.Extent{Start: first, End: last + 1})
		}
		for _, r := range safe {
			if common(here, r) != r.Len() {
				return "", fmt.Errorf("%v of %s was acknowledged, and %v is here", r, name, here)
			}
		}
		if u := all[0]; u.Name != name || u.State != "receiving" || u.Protocol != "contentrange" || !strings.HasSuffix(u.Resume, "/upload/"+name) {
			return "", fmt.Errorf("%+v", u)
		}
	}
	return "", nil
}

// finished wants that nothing is left to go on with.
func (e *elsewhere) finished(name string) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if all, err := e.uploads(e.words["/upload/"+name], e.ann); err != nil || len(all) != 0 {
		return "", fmt.Errorf("%v is found of a finished file (%v)", all, err)
	}
	if len(e.wrong) > 0 {
		return "", errors.New(strings.Join(e.wrong, "; "))
	}
	return "", nil
}

type view struct{ Name, State, Protocol, Ranges, Resume string }

// uploads returns what the server finds by a word.
func (e *elsewhere) uploads(word, token string) (all []view, err error) {
	r, err := http.NewRequest("GET", e.server.URL("/uploads?fingerprint="+url.QueryEscape(word)), nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(resp.Status)
	}
	return all, json.NewDecoder(resp.Body).Decode(&all)
}

// age has time pass while the server is stopped. No clock is set: instead all times
// in its records, and those of its files, are put back, so that for the server that
// starts now everything happened so much earlier.
func (e *elsewhere) age(by string) (string, error) {
	d, err := time.ParseDuration(by)
	if err != nil {
		return "", err
	}
	data := filepath.Join(e.server.Dir, "muleteer-data")
	db, err := sql.Open("sqlite", filepath.Join(data, "state.db"))
	if err != nil {
		return "", err
	}
	defer db.Close()
	for _, statement := range []string{
		"update upload set began = began - $1, touched = touched - $1, due = case when due = 0 then 0 else due - $1 end",
		"update event set at = at - $1, due = case when due = 0 then 0 else due - $1 end, dead = case when dead = 0 then 0 else dead - $1 end",
	} {
		if _, err := db.Exec(statement, d.Nanoseconds()); err != nil {
			return "", err
		}
	}
	return "", filepath.WalkDir(data, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return os.Chtimes(path, time.Time{}, info.ModTime().Add(-d))
	})
}
