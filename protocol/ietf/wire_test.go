package ietf_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/protocol/ietf"
	"github.com/muleteer/muleteer/protocol/wiretest"
	"github.com/muleteer/muleteer/upload"
)

// strict is a writer for which nothing comes after the answer: net/http would
// only write a line into its log.
type strict struct {
	http.ResponseWriter
	t        testing.TB
	answered bool
}

func (s *strict) WriteHeader(code int) {
	if s.answered {
		s.t.Errorf("%d after the answer", code)
	}
	s.answered = code >= 200
	s.ResponseWriter.WriteHeader(code)
}

func (s *strict) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// mount serves uploads by o, and reads finished files back.
func mount(t testing.TB, s *upload.Service, o ietf.Options) http.Handler {
	uploads := ietf.Handler(s, o)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w = &strict{ResponseWriter: w, t: t}
		id, ok := strings.CutPrefix(r.URL.Path, "/files/")
		if !ok {
			uploads.ServeHTTP(w, r)
			return
		}
		if err := wire.Serve(w, r, s, id); err != nil {
			status, _ := wire.Status(err)
			wire.Problem(w, status, "", err.Error())
		}
	})
}

// quiet tells nothing of progress, whose moment no conversation can know.
var quiet = ietf.Options{Pace: time.Hour}

// speech is what a version's clients say and hear; it is what the drafts say,
// not what the handler's table says.
type speech struct {
	Name      string
	Interop   string // the version, "" for none
	Header    string // has every request of it
	Yes, No   string // the field of the last request, and of the others
	Type      string // of an append
	Begun     string // the 104 of a creation
	Appended  int    // status of an append that is not the last
	Offsets   bool   // answers that succeed tell the offset
	Limits    bool   // there is an Upload-Limit
	Age       string // the lifetime in it
	Strict    bool   // HEAD and DELETE may have none of the fields
	Replays   bool   // the last append may be repeated
	Completed string // type of the error of an append to what is complete
}

func speeches() []speech {
	all := []speech{
		{Name: "rfc", Replays: true, Appended: 204, Limits: true, Age: "max-age", Completed: "inconsistent-upload-length"},
		{Name: "v3", Interop: "3", Appended: 201, Offsets: true, Strict: true, Completed: "completed-upload"},
		{Name: "v4", Interop: "4", Appended: 201, Offsets: true, Strict: true, Completed: "completed-upload"},
		{Name: "v5", Interop: "5", Appended: 201, Offsets: true, Strict: true, Completed: "completed-upload"},
		{Name: "v6", Interop: "6", Appended: 201, Offsets: true, Strict: true, Limits: true, Age: "expires", Completed: "completed-upload"},
		{Name: "v7", Interop: "7", Appended: 204, Limits: true, Age: "max-age", Completed: "inconsistent-upload-length"},
		{Name: "v8", Interop: "8", Appended: 204, Limits: true, Age: "max-age", Completed: "inconsistent-upload-length"},
	}
	for i := range all {
		s := &all[i]
		s.Yes, s.No = "Upload-Complete: ?1", "Upload-Complete: ?0"
		if s.Interop == "3" {
			s.Yes, s.No = "Upload-Incomplete: ?0", "Upload-Incomplete: ?1"
		}
		if s.Interop == "" || s.Interop >= "6" {
			s.Type = "application/partial-upload"
		} else {
			s.Type = "application/octet-stream"
		}
		if s.Interop != "" {
			s.Header = "! header Upload-Draft-Interop-Version: " + s.Interop
			s.Begun = "< 104 in 2s\n< Location: $loc\n< Upload-Draft-Interop-Version: " + s.Interop + "\n<! Upload-Offset\n<! Cache-Control\n"
			if s.Limits {
				s.Begun += "< Upload-Limit\n"
			}
		}
	}
	return all
}

// TestVersions plays the checklist in each version; each conversation is named
// with the line of it that it checks.
func TestVersions(t *testing.T) {
	files, err := filepath.Glob("testdata/each/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no conversations", err)
	}
	for _, s := range speeches() {
		t.Run(s.Name, func(t *testing.T) {
			dir := t.TempDir()
			for _, file := range files {
				var text bytes.Buffer
				if err := template.Must(template.ParseFiles(file)).Execute(&text, s); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), text.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			wiretest.Play(t, filepath.Join(dir, "*.txt"), func(t testing.TB, s *upload.Service) http.Handler {
				return mount(t, s, quiet)
			})
		})
	}
}

// TestConversations plays what is so in some versions only.
func TestConversations(t *testing.T) {
	wiretest.Play(t, "testdata/*.txt", func(t testing.TB, s *upload.Service) http.Handler { return mount(t, s, quiet) })
}

// TestBounds plays what is so where one request may bring 1000 bytes at most,
// and 100 at least.
func TestBounds(t *testing.T) {
	o := quiet
	o.MaxAppend, o.MinAppend = 1000, 100
	wiretest.Play(t, "testdata/bounds/*.txt", func(t testing.TB, s *upload.Service) http.Handler { return mount(t, s, o) })
}

// TestInform plays what is so where 104 goes to clients without a version too.
func TestInform(t *testing.T) {
	o := quiet
	o.Inform = true
	wiretest.Play(t, "testdata/inform/*.txt", func(t testing.TB, s *upload.Service) http.Handler { return mount(t, s, o) })
}
