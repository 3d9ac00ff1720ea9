package s3

import (
	"bytes"
	"crypto/rand"
	"strings"
	"testing"

	"github.com/muleteer/muleteer/extent"
	"github.com/muleteer/muleteer/store"
)

// What is wrong with the address or the credentials is told at the start, with
// what is to be corrected.
func TestTheStartTellsWhatIsWrong(t *testing.T) {
	bucket := server.Bucket(t)
	for name, c := range map[string]struct {
		where string // the server's address follows
		env   [2]string
		want  string
	}{
		"no bucket":  {where: "s3://nobody-made-this", want: "there is no bucket nobody-made-this: make it"},
		"no region":  {where: "s3://" + bucket, env: [2]string{"", ""}, want: "add region=us-east-1 to --store"},
		"a stranger": {where: "s3://" + bucket, env: [2]string{"AWS_ACCESS_KEY_ID", "stranger"}, want: "does not accept the credentials"},
		"a secret":   {where: "s3://" + bucket, env: [2]string{"AWS_SECRET_ACCESS_KEY", "another-secret"}, want: "does not accept the credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.env[0] != "" {
				t.Setenv(c.env[0], c.env[1])
			}
			_, query, _ := strings.Cut(server.URL(bucket, ""), "?")
			if name == "no region" {
				query = strings.Replace(query, "us-east-1", "eu-west-1", 1)
			}
			s, err := Open(t.Context(), c.where+"?"+query, Options{})
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("it says %v, want …%s…", err, c.want)
			}
		})
	}
}

// A storage class or an encryption that the server does not have is told at the
// start; what it accepts there it also keeps.
func TestWhatTheStartAcceptsIsKept(t *testing.T) {
	t.Parallel()
	for _, query := range []string{"class=STANDARD", "class=REDUCED_REDUNDANCY", "class=NONSENSE", "sse=AES256", "sse=aws:kms", "kms-key=nobody-has-it"} {
		for _, sum := range append(sums(), "") {
			t.Run(query+" "+sum, func(t *testing.T) {
				t.Parallel()
				where := server.URL(server.Bucket(t), "") + "&" + query
				if sum != "" {
					where += "&checksum=" + sum
				}
				s := open(t, where, Options{})
				if told, err := s.Probe(t.Context()); err != nil {
					parameter, _, _ := strings.Cut(query, "=")
					if !strings.Contains(err.Error(), "correct "+parameter+"=") && !strings.Contains(err.Error(), "and "+parameter+"=") {
						t.Errorf("it says %v", err)
					}
					return
				} else if told == "" {
					t.Error("nothing is told of the server")
				}
				data := noise(10)
				for _, key := range []string{rand.Text() + "/in-place", "staged"} {
					id, _, _ := strings.Cut(key, "/")
					if id == "staged" {
						id = rand.Text()
					}
					o, err := s.Begin(t.Context(), id, store.Spec{Size: 10, Key: key})
					if err != nil {
						t.Fatal(err)
					}
					var parts []store.Part
					err = s.Put(t.Context(), o, extent.Extent{End: 10}, bytes.NewReader(data), func(p store.Part) error { parts = append(parts, p); return nil })
					if err != nil {
						t.Fatal(err)
					}
					if _, err := s.Join(t.Context(), o, parts); err != nil {
						t.Errorf("%s: %v", key, err)
					}
				}
			})
		}
	}
}
