package s3test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/muleteer/muleteer/store"
)

// stand is a proxy before a server, and a client that signs for it.
type stand struct {
	t      *testing.T
	s      *Server
	p      *Proxy
	bucket string
}

func newStand(t *testing.T) *stand {
	t.Parallel()
	s := Start(t)
	return &stand{t, s, s.Proxy(t), s.Bucket(t)}
}

// call makes a request through the proxy; the status is 0 if no whole answer
// came.
func (d *stand) call(method, target string, body []byte, headers ...string) (int, string, http.Header) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	resp, err := do(ctx, d.p.Endpoint, method, target, body, headers...)
	if err != nil {
		return 0, err.Error(), nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error(), nil
	}
	return resp.StatusCode, string(b), resp.Header
}

func (d *stand) ok(method, target string, body []byte, headers ...string) (string, http.Header) {
	d.t.Helper()
	status, said, h := d.call(method, target, body, headers...)
	if status/100 != 2 {
		d.t.Fatalf("%s %s: %d: %s", method, target, status, said)
	}
	return said, h
}

// begin begins a multipart upload and returns the target of its parts.
func (d *stand) begin(key string) string {
	d.t.Helper()
	said, _ := d.ok(http.MethodPost, path(d.bucket, key)+"?uploads=", nil)
	var begun struct{ UploadId string }
	if err := xml.Unmarshal([]byte(said), &begun); err != nil {
		d.t.Fatal(err)
	}
	return path(d.bucket, key) + "?uploadId=" + begun.UploadId
}

func sum(b []byte) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, uint64(store.CRC(0).Update(b))))
}

func complete(etags ...string) []byte {
	var b strings.Builder
	b.WriteString("<CompleteMultipartUpload>")
	for i, e := range etags {
		fmt.Fprintf(&b, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", i+1, e)
	}
	b.WriteString("</CompleteMultipartUpload>")
	return []byte(b.String())
}

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return b
}

// Every operation is known by its request, and what is passed on stays signed.
func TestProxyKnowsOperations(t *testing.T) {
	d := newStand(t)
	at := path(d.bucket, "a b/ü+=")
	other := path(d.bucket, "other")
	big := noise(5 << 20)
	d.ok("PUT", at, []byte("text"))
	d.ok("HEAD", at, nil)
	if said, _ := d.ok("GET", at, nil, "Range", "bytes=1-2"); said != "ex" {
		t.Errorf("a range reads as %q", said)
	}
	d.ok("PUT", other, nil, "X-Amz-Copy-Source", at)
	up := d.begin("joined")
	_, h := d.ok("PUT", up+"&partNumber=1", big)
	copied, _ := d.ok("PUT", up+"&partNumber=2", nil, "X-Amz-Copy-Source", other)
	var result struct{ ETag string }
	if err := xml.Unmarshal([]byte(copied), &result); err != nil {
		t.Fatal(err)
	}
	d.ok("GET", up, nil)
	d.ok("GET", "/"+d.bucket+"?uploads=", nil)
	d.ok("POST", up, complete(h.Get("Etag"), result.ETag))
	d.ok("DELETE", d.begin("never"), nil)
	d.ok("GET", "/"+d.bucket+"?list-type=2", nil)
	d.ok("DELETE", other, nil)
	d.ok("GET", at+"?tagging=", nil)
	list := []byte("<Delete><Object><Key>a b/ü+=</Key></Object></Delete>")
	d.ok("POST", "/"+d.bucket+"?delete=", list, "X-Amz-Checksum-Crc64nvme", sum(list))
	want := []Op{PutObject, HeadObject, GetObject, CopyObject, CreateMultipartUpload, UploadPart, UploadPartCopy, ListParts,
		ListMultipartUploads, CompleteMultipartUpload, CreateMultipartUpload, AbortMultipartUpload, ListObjectsV2,
		DeleteObject, Other, DeleteObjects}
	journal := d.p.Journal()
	if len(journal) != len(want) {
		t.Fatalf("%d calls in the journal, want %d", len(journal), len(want))
	}
	for i, c := range journal {
		if c.Op != want[i] || c.Bucket != d.bucket || c.Server/100 != 2 || c.Client != c.Server || !c.Over || c.Fault != None {
			t.Errorf("call %d is %+v, want %s", i, c, want[i])
		}
	}
	if c := journal[5]; c.Part != 1 || c.Length != 5<<20 || c.Key != "joined" || !strings.HasSuffix(up, c.UploadID) || c.UploadID == "" {
		t.Errorf("the part is %+v", c)
	}
	if keys := d.s.Objects(t, d.bucket); len(keys) != 1 || keys["joined"] != 5<<20+4 {
		t.Errorf("in the end %v are here", keys)
	}
}

// Each fault does to the server and tells to the client what its name says.
func TestProxyFaults(t *testing.T) {
	d := newStand(t)
	for _, c := range []struct {
		fault  Fault
		client int  // status, 0: no answer
		server bool // the object is there afterwards
	}{
		{None, 200, true}, {ServerError, 500, false}, {SlowDown, 503, false}, {TooMany, 429, false}, {Skew, 403, false},
		{Reset, 0, false}, {ResetMidway, 0, false}, {CommitReset, 0, true}, {CommitError, 500, true}, {ErrorBody, 200, false},
		{CommitTruncate, 0, true}, {CommitSum, 200, true}, {Gone, 404, false}, {Denied, 403, false}, {Full, 507, false},
	} {
		key, body := "key "+string(c.fault), noise(100_000)
		rule := d.p.On(PutObject).Where(func(call Call) bool { return call.Key == key }).Do(c.fault)
		status, said, h := d.call("PUT", path(d.bucket, key), body, "X-Amz-Checksum-Crc64nvme", sum(body))
		if status != c.client {
			t.Errorf("%q: the client is told %d: %s", c.fault, status, said)
		}
		if _, code := c.fault.refusal(); code != "" && !strings.Contains(said, "<Code>"+code+"</Code>") {
			t.Errorf("%q says %s", c.fault, said)
		}
		if told := h.Get("X-Amz-Checksum-Crc64nvme"); c.client == 200 && c.server && (told == sum(body)) == (c.fault == CommitSum) {
			t.Errorf("%q: the checksum told is %q, and %s was sent", c.fault, told, sum(body))
		}
		if _, here := d.s.Objects(t, d.bucket)[key]; here != c.server {
			t.Errorf("%q: the server has it: %v", c.fault, here)
		}
		if rule.Hits() != 1 {
			t.Errorf("%q has struck %d times", c.fault, rule.Hits())
		}
	}
}

// A truncated answer is short, not merely late.
func TestProxyTruncates(t *testing.T) {
	d := newStand(t)
	at, body := path(d.bucket, "key"), noise(1<<20)
	d.ok("PUT", at, body)
	d.p.On(GetObject).Do(CommitTruncate)
	resp, err := do(context.Background(), d.p.Endpoint, "GET", at, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err == nil || len(got) == 0 || len(got) >= len(body) || !bytes.Equal(got, body[:len(got)]) || resp.ContentLength != int64(len(body)) {
		t.Errorf("%d of %d bytes came, %v", len(got), len(body), err)
	}
}

// A hang lasts until the test frees it or its client gives up.
func TestProxyHangs(t *testing.T) {
	d := newStand(t)
	at := path(d.bucket, "key")
	d.p.On(PutObject).Times(2).Do(Hang)
	ctx, cancel := context.WithCancel(context.Background())
	left := make(chan error)
	go func() {
		_, err := do(ctx, d.p.Endpoint, "PUT", at, []byte("of one who left"))
		left <- err
	}()
	d.pending(1)
	cancel()
	if err := <-left; err == nil {
		t.Error("the client that gave up got an answer")
	}
	d.pending(0)
	freed := make(chan int)
	go func() {
		status, _, _ := d.call("PUT", at, []byte("freed"))
		freed <- status
	}()
	d.pending(1)
	if here := d.s.Objects(t, d.bucket); len(here) > 0 {
		t.Errorf("%v are here while all hangs", here)
	}
	d.p.Free()
	if status := <-freed; status != 200 {
		t.Errorf("freed: %d", status)
	}
	if said, _ := d.ok("GET", at, nil); said != "freed" {
		t.Errorf("the object holds %q", said)
	}
}

// What is late arrives when the test says so, after its client was let go.
func TestProxyDelays(t *testing.T) {
	d := newStand(t)
	at := path(d.bucket, "key")
	d.p.On(PutObject).Do(Late)
	if status, _, _ := d.call("PUT", at, []byte("late")); status != 0 {
		t.Errorf("the client was told %d", status)
	}
	d.ok("PUT", at, []byte("again"))
	d.p.Free()
	d.p.late.Wait()
	if said, _ := d.ok("GET", at, nil); said != "late" {
		t.Errorf("the object holds %q", said)
	}
}

func (d *stand) pending(n int) {
	d.t.Helper()
	for end := time.Now().Add(10 * time.Second); len(d.p.Pending()) != n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			d.t.Fatalf("pending are %v, want %d", d.p.Pending(), n)
		}
	}
}

// Rules choose by number, by part and by count, and end.
func TestProxyRules(t *testing.T) {
	d := newStand(t)
	at := path(d.bucket, "key")
	statuses := func(n int) (all []int) {
		for range n {
			status, _, _ := d.call("PUT", at, nil)
			all = append(all, status)
		}
		return all
	}
	same := func(what string, got []int, want ...int) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	d.p.On(PutObject).Nth(3).Do(ServerError)
	same("the third", statuses(4), 200, 200, 500, 200)
	d.p.On().Nth(2).Times(2).Do(SlowDown)
	same("two after the first", statuses(4), 200, 503, 503, 200)
	always := d.p.On(PutObject).Always().Do(ServerError)
	same("always", statuses(3), 500, 500, 500)
	always.End()
	same("after its end", statuses(1), 200)
	up := d.begin("parts")
	d.p.On(UploadPart).Part(2).Always().Do(TooMany)
	for i, want := range []int{200, 429, 200} {
		status, _, _ := d.call("PUT", fmt.Sprintf("%s&partNumber=%d", up, i+1), []byte("part"))
		same("parts", []int{status}, want)
	}
	d.p.Calm()
	d.ok("PUT", up+"&partNumber=2", nil)
	if n := d.p.Count(UploadPart); n != 3 {
		t.Errorf("%d parts were stored, want 3", n)
	}
	d.p.Forget()
	if j := d.p.Journal(); len(j) > 0 {
		t.Errorf("the forgotten journal has %v", j)
	}
}

// A storm is the same for the same seed, and about as dense as it was wanted.
func TestProxyRandom(t *testing.T) {
	d := newStand(t)
	faults := func(seed uint64) (all []Fault, n int) {
		d.p.Forget()
		d.p.Random(seed, 0.3)
		for range 60 {
			d.call("PUT", path(d.bucket, "key"), []byte("bytes"))
		}
		for _, c := range d.p.Journal() {
			all = append(all, c.Fault)
			if c.Fault != None {
				n++
			}
		}
		return all, n
	}
	first, n := faults(1)
	again, _ := faults(1)
	other, _ := faults(2)
	if fmt.Sprint(first) != fmt.Sprint(again) || fmt.Sprint(first) == fmt.Sprint(other) {
		t.Errorf("seed 1 makes %v, then %v; seed 2 %v", first, again, other)
	}
	if n < 6 || n > 30 {
		t.Errorf("%d of 60 calls failed at a rate of 0.3", n)
	}
	if len(d.p.Struck()) < 4 {
		t.Errorf("only %v have struck", d.p.Struck())
	}
	d.p.Calm()
	d.ok("PUT", path(d.bucket, "key"), nil)
}
