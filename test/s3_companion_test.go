package test

import (
	"crypto/rand"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/muleteer/muleteer/internal/trial"
	"github.com/muleteer/muleteer/store/s3/s3test"
)

// TestCompanionDirect: the parts of a file go past the server, whichever way
// their places are asked for. What the bucket has is listed, also after the server
// was killed, and what of it the client names in the end is the file.
func TestCompanionDirect(t *testing.T) {
	t.Parallel()
	c := inBucketWith(t, s3test.Start(t), "&direct=1")
	u := newTruth("film.mp4", trial.Noise(3*cell+4097, seed(t)))
	b := begin(t, c, "", u)
	if status := b.send(t, b.place(t, 2), 2, b.piece(2)); status != http.StatusOK {
		t.Fatalf("part 2: %d", status)
	}
	var some struct{ PresignedURLs map[string]string }
	if status := b.ask(t, "GET", b.at("/batch")+"&partNumbers=1,4", nil, &some); status != http.StatusOK || len(some.PresignedURLs) != 2 {
		t.Fatalf("a batch: %d, %v", status, some)
	}
	for number, to := range map[int]string{1: some.PresignedURLs["1"], 4: some.PresignedURLs["4"]} {
		if status := b.send(t, to, number, b.piece(number)); status != http.StatusOK {
			t.Fatalf("part %d: %d", number, status)
		}
	}
	c.Kill()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var here []struct {
		PartNumber, Size int
		ETag             string
	}
	if status := b.ask(t, "GET", b.at(""), nil, &here); status != http.StatusOK || len(here) != 3 || here[2].PartNumber != 4 || here[2].Size != 4097 {
		t.Fatalf("the list of what is here: %d, %v", status, here)
	}
	b.etags[4] = here[2].ETag // as who was loaded again
	if status := b.complete(t, 1, 2, 3, 4); status != http.StatusBadRequest {
		t.Errorf("of a part that is not here: %d", status)
	}
	var one struct{ URL string }
	if status := b.ask(t, "POST", "/s3/sign", map[string]any{"method": "PUT", "key": b.key, "uploadId": b.id, "partNumber": 3}, &one); status != http.StatusOK {
		t.Fatalf("signing part 3: %d", status)
	}
	if status := b.send(t, one.URL, 3, b.piece(3)); status != http.StatusOK {
		t.Fatalf("part 3: %d", status)
	}
	// The first answer is an error, and the bucket has not joined them.
	c.proxy.On(s3test.CompleteMultipartUpload).Do(s3test.Denied)
	if status := b.complete(t, 1, 2, 3, 4); status != http.StatusServiceUnavailable {
		t.Errorf("while the bucket fails: %d", status)
	}
	c.proxy.Calm()
	within(t, time.Minute, "it is joined, as it is asked for again", func() bool {
		status := b.complete(t, 1, 2, 3, 4)
		if status != http.StatusOK && status != http.StatusServiceUnavailable {
			t.Fatalf("asked again: %d", status)
		}
		return status == http.StatusOK
	})
	if status := b.complete(t, 1, 2, 3, 4); status != http.StatusOK { // the answer may have been lost
		t.Errorf("asked once more: %d", status)
	}
	if err := c.object(u); err != nil {
		t.Error(err)
	}
	for _, call := range c.proxy.Journal() {
		if call.Op == s3test.UploadPart && call.Length > 1000 && !call.Signed {
			t.Errorf("part %d, of %d bytes, went through the server", call.Part, call.Length)
		}
	}
	c.onlyFinished(t, u)
}

// TestCompanionDirectRefused: what is asked wrongly changes nothing, what is
// too large does not appear, and what was removed takes no part any more.
func TestCompanionDirectRefused(t *testing.T) {
	t.Parallel()
	c := inBucketWith(t, s3test.Start(t), "&direct=1", "--max-size", "11MiB")
	b := begin(t, c, "", newTruth("film.mp4", trial.Noise(3*cell, seed(t))))
	for path, want := range map[string]int{
		b.at("/0"):                          http.StatusBadRequest,
		b.at("/10001"):                      http.StatusBadRequest,
		b.at("/4"):                          http.StatusRequestEntityTooLarge, // three before it have 15 MiB
		"/s3/multipart/" + b.id + "/1?key=": http.StatusNotFound,
		"/s3/multipart/" + b.id + "/1?key=" + strings.ToLower(b.key): http.StatusNotFound,
	} {
		if status := b.ask(t, "GET", path, nil, nil); status != want {
			t.Errorf("%s: %d, not %d", path, status, want)
		}
	}
	for number := 1; number <= 3; number++ {
		body := b.piece(number)
		if number == 2 {
			body = body[:1000]
		}
		if status := b.send(t, b.place(t, number), number, body); status != http.StatusOK {
			t.Fatalf("part %d: %d", number, status)
		}
	}
	if status := b.complete(t, 1, 2, 3); status != http.StatusBadRequest {
		t.Errorf("with a small part in its middle: %d", status)
	}
	if status := b.complete(t); status != http.StatusBadRequest {
		t.Errorf("of none of the parts that are there: %d", status)
	}
	if status := b.complete(t, 3, 1); status != http.StatusBadRequest {
		t.Errorf("in another order: %d", status)
	}
	if status := b.send(t, b.place(t, 2), 2, b.piece(2)); status != http.StatusOK {
		t.Fatalf("part 2 once more: %d", status)
	}
	if status := b.complete(t, 1, 2, 3); status != http.StatusRequestEntityTooLarge {
		t.Errorf("15 MiB where 11 are allowed: %d", status)
	}
	req, err := http.NewRequestWithContext(t.Context(), "PATCH", b.URL("/tus/"+b.id), strings.NewReader("by another protocol"))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"} {
		req.Header.Set(name, value)
	}
	resp, err := b.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body.Close(); resp.StatusCode != http.StatusForbidden {
		t.Errorf("bytes by tus: %s", resp.Status)
	}
	late := b.place(t, 1)
	if status := b.ask(t, "DELETE", b.at(""), nil, nil); status != http.StatusOK {
		t.Errorf("removing it: %d", status)
	}
	if status := b.send(t, late, 1, []byte("too late")); status != http.StatusNotFound {
		t.Errorf("a part of what was removed: %d", status)
	}
	if left := c.gateway.Unjoined(t, c.bucket); len(left) > 0 {
		t.Errorf("the bucket still has %v", left)
	}
	// What two parts make is small enough.
	u := newTruth("short.mp4", trial.Noise(2*cell, seed(t)))
	b = begin(t, c, "", u)
	for number := range 2 {
		if status := b.send(t, b.place(t, number+1), number+1, b.piece(number+1)); status != http.StatusOK {
			t.Fatalf("part %d: %d", number+1, status)
		}
	}
	if status := b.complete(t, 1, 2); status != http.StatusOK {
		t.Errorf("10 MiB: %d", status)
	}
	if err := c.object(u); err != nil {
		t.Error(err)
	}
	c.onlyFinished(t, u)
}

// TestCompanionDirectEnds: who begins while the bucket takes parts, and goes on
// when it may not any more, is told to begin anew, and can take away what is there.
func TestCompanionDirectEnds(t *testing.T) {
	t.Parallel()
	c := inBucketWith(t, s3test.Start(t), "&direct=1")
	b := begin(t, c, "", newTruth("film.mp4", trial.Noise(2*cell, seed(t))))
	if status := b.send(t, b.place(t, 1), 1, b.piece(1)); status != http.StatusOK {
		t.Fatalf("part 1: %d", status)
	}
	c.End(t)
	c.server = &server{trial.Serve(t, program, c.Dir, "--store", c.proxy.URL(c.bucket, "kept"))}
	if status := b.ask(t, "GET", b.at("/2"), nil, nil); status != http.StatusNotFound {
		t.Errorf("part 2 is signed: %d", status)
	}
	if status := b.ask(t, "DELETE", b.at(""), nil, nil); status != http.StatusOK {
		t.Errorf("removing it: %d", status)
	}
	c.onlyFinished(t)
}

// TestCompanionDirectWho: what somebody may is looked at when a part is signed,
// and how much that may be when the file is completed.
func TestCompanionDirectWho(t *testing.T) {
	t.Parallel()
	secret := rand.Text() + rand.Text()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	who := func(claims jwt.MapClaims) string {
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		return "/u/" + token
	}
	c := inBucketWith(t, s3test.Start(t), "&direct=1", "--token-secret-file", file)
	soon := time.Now().Add(3 * time.Minute).Unix()
	ann := who(jwt.MapClaims{"sub": "ann", "exp": soon, "quota": 7 << 20})
	b := begin(t, c, ann, newTruth("film.mp4", trial.Noise(2*cell, seed(t))))
	for number := 1; number <= 2; number++ {
		if status := b.send(t, b.place(t, number), number, b.piece(number)); status != http.StatusOK {
			t.Fatalf("part %d: %d", number, status)
		}
	}
	for name, other := range map[string]string{
		"somebody else": who(jwt.MapClaims{"sub": "bob", "exp": soon}),
		"a reader":      who(jwt.MapClaims{"sub": "ann", "exp": soon, "verbs": []string{"status", "read"}}),
		"nobody":        "",
	} {
		b.who = other
		if status := b.ask(t, "GET", b.at("/3"), nil, nil); status/100 != 4 {
			t.Errorf("%s is signed a part: %d", name, status)
		}
		if status := b.complete(t, 1, 2); status/100 != 4 {
			t.Errorf("%s completes it: %d", name, status)
		}
		if status := b.ask(t, "DELETE", b.at(""), nil, nil); status/100 != 4 {
			t.Errorf("%s removes it: %d", name, status)
		}
	}
	b.who = ann
	if status := b.complete(t, 1, 2); status != http.StatusInsufficientStorage {
		t.Errorf("10 MiB where 7 are allowed: %d", status)
	}
	if status := b.complete(t, 1); status != http.StatusOK {
		t.Errorf("5 MiB: %d", status)
	}
	u := newTruth("film.mp4", b.piece(1))
	u.named(b.id)
	if err := c.object(u); err != nil {
		t.Error(err)
	}
	c.onlyFinished(t, u)
}
