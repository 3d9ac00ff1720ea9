package hook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/muleteer/muleteer/hook"
	"github.com/muleteer/muleteer/upload"
)

// The messages have the fields of tusd's documentation, with its types.
func TestTusdIsAsTusdDocumentsIt(t *testing.T) {
	t.Parallel()
	var got any
	h := web(t, hook.Tusd{Storage: func(key string) map[string]string {
		return map[string]string{"Type": "filestore", "Path": "/data/" + key}
	}}, hook.WebOptions{}, func(_ http.ResponseWriter, r *http.Request) {
		got = nil
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
	})
	meta := `"MetaData":{"filename":"Scréen.png","filetype":"image/png"}`
	whole := `"Upload":{"ID":"5D892C228EC8D0451DFEC588","Size":432724,"SizeIsDeferred":false,"Offset":432724,` + meta + `,
		"IsPartial":false,"IsFinal":false,"PartialUploads":null,"Storage":{"Type":"filestore","Path":"/data/a/b.png"}}`
	for k, name := range map[upload.Kind]string{
		upload.Created: "post-create", upload.Completing: "pre-finish", upload.Completed: "post-finish",
		upload.Removing: "pre-terminate", upload.Removed: "post-terminate",
	} {
		if _, err := h(context.Background(), turn(k)); err != nil {
			t.Fatal(err)
		}
		same(t, got, `{"Type":"`+name+`","Event":{`+whole+`,"HTTPRequest":{"Method":"","URI":"","RemoteAddr":"","Header":{}}}}`)
	}

	r := httptest.NewRequest("POST", "/files/?x=y", nil)
	r.Header.Set("Tus-Resumable", "1.0.0")
	r.Header.Set("User-Agent", "Mozilla/5.0")
	r.RemoteAddr, r.Host = "127.0.0.1:59395", "localhost:8080"
	creating := turn(upload.Creating)
	creating.Record.Size, creating.Record.Offset, creating.Record.Sources = -1, 0, []string{"a", "b"}
	if _, err := h(hook.With(context.Background(), r, nil), creating); err != nil {
		t.Fatal(err)
	}
	same(t, got, `{"Type":"pre-create","Event":{"Upload":{"ID":"","Size":0,"SizeIsDeferred":true,"Offset":0,`+meta+`,
		"IsPartial":false,"IsFinal":true,"PartialUploads":["a","b"],"Storage":null},
		"HTTPRequest":{"Method":"POST","URI":"/files/","RemoteAddr":"127.0.0.1:59395",
			"Header":{"Host":["localhost:8080"],"Tus-Resumable":["1.0.0"],"User-Agent":["Mozilla/5.0"]}}}}`)

	got = nil
	for _, k := range []upload.Kind{upload.FirstBytes, upload.LastBytes, upload.Quarantined} {
		if _, err := h(context.Background(), turn(k)); err != nil || got != nil {
			t.Errorf("%s: %v %v", k, got, err)
		}
	}
	other := turn(upload.Completed)
	other.Record.Protocol, other.Record.Meta.Fields = "filepond", map[string]string{"filetype": "said/so"}
	if _, err := h(context.Background(), other); err != nil {
		t.Fatal(err)
	}
	m := got.(map[string]any)["Event"].(map[string]any)["Upload"].(map[string]any)["MetaData"]
	same(t, m, `{"filename":"Scréen.png","filetype":"said/so","relativePath":"x/Scréen.png"}`)
}

func TestTusdAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind         upload.Kind
		answer, want string
	}{
		{upload.Creating, ``, "yes"},
		{upload.Creating, `{}`, "yes"},
		{upload.Creating, `{"unknown":1,"StopUpload":true}`, "yes"},
		{upload.Creating, `{"RejectUpload":true}`, `no 400 "upload has been rejected by server"`},
		{upload.Creating, `{"RejectUpload":true,"HTTPResponse":{"StatusCode":403,"Body":"{\"message\":\"x\"}","Header":{"Content-Type":"application/json"}}}`,
			`no 403 "{\"message\":\"x\"}" {403 map[Content-Type:application/json] {"message":"x"}}`},
		{upload.Creating, `{"RejectUpload":true,"HTTPResponse":{"StatusCode":200,"Body":"b"}}`, `no 400 "b" {0 map[] b}`},
		{upload.Creating, `{"RejectTermination":true}`, "yes"},
		{upload.Creating, `{"ChangeFileInfo":{"ID":"my/id"}}`, "yes key=my/id"},
		{upload.Creating, `{"ChangeFileInfo":{"ID":"my/id","Storage":{"Path":"./up/x.pdf"}}}`, "yes key=./up/x.pdf"},
		{upload.Creating, `{"ChangeFileInfo":{"MetaData":{"filename":"n","a b":"c","d":"é"}}}`,
			"yes name=n map[a b:c d:é filename:n] d w6k=,filename bg=="},
		{upload.Completing, `{"RejectUpload":true}`, "yes"},
		{upload.Completing, `{"HTTPResponse":{"Header":{"Link":"<x>"}},"StopUpload":true}`, "yes {0 map[Link:<x>] }"},
		{upload.Completing, `{"HTTPResponse":{"StatusCode":201,"Body":"there"}}`, "yes {201 map[] there}"},
		{upload.Removing, `{"RejectTermination":true}`, `no 400 "upload termination has been rejected by server"`},
		{upload.Removing, `{"RejectTermination":true,"HTTPResponse":{"StatusCode":409}}`,
			`no 409 "upload termination has been rejected by server" {409 map[] }`},
		{upload.Creating, `garbage`, "error"},
		{upload.Creating, `[]`, "error"},
		{upload.Creating, `{"RejectUpload":"true"}`, "error"},
	} {
		h := web(t, hook.Tusd{}, hook.WebOptions{}, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, c.answer) })
		v, err := h(context.Background(), turn(c.kind))
		got := "yes"
		var refusal *upload.Refusal
		switch {
		case errors.As(err, &refusal):
			got = fmt.Sprintf("no %d %q", refusal.Status, refusal.Reason)
			if refusal.Response != nil {
				got += fmt.Sprint(" ", *refusal.Response)
			}
		case err != nil:
			got = "error"
		}
		if v.Key != "" {
			got += " key=" + v.Key
		}
		if v.Meta != nil {
			got += fmt.Sprintf(" name=%s %v %s", v.Meta.Name, v.Meta.Fields, v.Meta.Wire["Upload-Metadata"])
		}
		if v.Answer != nil {
			got += fmt.Sprint(" ", *v.Answer.Response)
		}
		if got != c.want {
			t.Errorf("%s %s:\n got %s\nwant %s (%v)", c.kind, c.answer, got, c.want, err)
		}
	}
}
