package hook

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/muleteer/muleteer/upload"
)

// FuzzVerdict: an answer is understood or an error. What refuses is never a yes,
// and what is no JSON object neither.
func FuzzVerdict(f *testing.F) {
	for _, text := range []string{
		"", " \n", "null", "{}", "[]", `{"refuse":"no"}`, `{"refuse":"no","status":413}`, `{"status":200}`, `{"refused":"no"}`, `{"refuse":"no"}{}`,
		`{"key":"../../a","name":"b","fields":{"c":"d"}}`, `{"answer":{"e":"f"}}`,
		`{"RejectUpload":true,"HTTPResponse":{"StatusCode":403,"Body":"no","Header":{"X-A":"b"}}}`,
		`{"ChangeFileInfo":{"ID":"a","MetaData":{"filename":"b"},"Storage":{"Path":"c"}}}`, `{"RejectTermination":true}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var object map[string]any
		is := json.Unmarshal([]byte(text), &object) == nil
		for _, form := range []Form{Ours{}, Tusd{}} {
			for _, kind := range []upload.Kind{upload.Creating, upload.FirstBytes, upload.Completing, upload.Removing} {
				_, err := form.verdict(upload.Turn{Kind: kind, Record: upload.Record{Protocol: "tus"}}, []byte(text))
				var no *upload.Refusal
				switch {
				case errors.As(err, &no):
					if no.Status != 0 && (no.Status < 400 || no.Status > 599) || no.Reason == "" {
						t.Errorf("%T, %s: %q refuses with %+v", form, kind, text, no)
					}
				case err == nil && !is && strings.TrimSpace(text) != "":
					t.Errorf("%T, %s: %q is a yes", form, kind, text)
				case err == nil && form == Form(Ours{}) && object["refuse"] != nil && object["refuse"] != "":
					t.Errorf("%s: %q is a yes", kind, text)
				}
			}
		}
	})
}

// FuzzSecret: what is taken for a secret has enough bytes, and no error has it.
func FuzzSecret(f *testing.F) {
	f.Add("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("whsec_")
	f.Add("whsec_AAAA AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := ParseSecret(text); err == nil && (len(s) < 24 || len(s) > 64) {
			t.Errorf("%q has %d bytes", text, len(s))
		}
	})
}
