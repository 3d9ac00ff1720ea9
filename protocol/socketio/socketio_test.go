package socketio_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muleteer/muleteer/protocol/socketio"
	"github.com/muleteer/muleteer/protocol/wiretest"
	"github.com/muleteer/muleteer/store"
	"github.com/muleteer/muleteer/upload"
)

// TestUpload is the way of the page from which the protocol is, on all stores.
func TestUpload(t *testing.T) {
	t.Parallel()
	for _, g := range wiretest.Grids() {
		for name, open := range kinds() {
			t.Run(g.Name+" "+name, func(t *testing.T) {
				t.Parallel()
				h := newHouse(t, g, socketio.Options{})
				w := open(t, h)
				defer w.close()
				w.send(t, "40")
				want(t, w, `40{"sid":"…`)
				for _, size := range []int{0, 1, 1000, 2500, 20_000} {
					content, name := wiretest.Rand(size, 1, 0), fmt.Sprintf("%d.bin", size)
					session := begin(t, w, name)
					for ack := 1; ; ack++ {
						n := min(1000, len(content))
						w.send(t, chunk(session, ack, content[:n], n == 0, "")...)
						want(t, w, fmt.Sprintf("43%d[]", ack))
						if content = content[n:]; n == 0 {
							break
						}
					}
					for got := ""; got != `42["upload_success_`+session+`"]`; { // those before are told again
						got = want(t, w, `42["upload_success_…`)
					}
					h.has(t, name, wiretest.Rand(size, 1, 0))
				}
			})
		}
	}
}

// TestSuccessComesLate: what comes together with the last acknowledgement, the
// client does not listen for yet.
func TestSuccessComesLate(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, _ *house, w wire) {
		session := begin(t, w, "a")
		w.send(t, chunk(session, 1, nil, true, "")...)
		want(t, w, "431[]")
		acknowledged := time.Now()
		for i, least := range []time.Duration{50 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second} {
			want(t, w, `42["upload_success_`+session+`"]`)
			// The clocks of the machine and of the test go alike.
			if after := time.Since(acknowledged); after < least-5*time.Millisecond {
				t.Errorf("success %d comes %v after the acknowledgement", i, after)
			}
		}
	})
}

// TestHook: what the application says of a finished file comes with its success,
// why it was refused with its error, and while nobody answers there is neither.
func TestHook(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, h *house, w wire) {
		var yes atomic.Bool
		asked := make(chan bool, 100)
		h.Hook = func(_ context.Context, turn upload.Turn) (v upload.Verdict, err error) {
			if turn.Kind != upload.Completing {
				return v, nil
			}
			asked <- true
			if !yes.Load() {
				return v, errors.New("the scanner is away")
			}
			return upload.Verdict{Answer: &upload.Answer{Fields: map[string]string{"order": "7"}}}, nil
		}
		session := begin(t, w, "a")
		w.send(t, chunk(session, 1, nil, true, "")...)
		want(t, w, "431[]")
		<-asked
		<-asked // by itself
		yes.Store(true)
		want(t, w, `42["upload_success_`+session+`",{"order":"7"}]`)
	})
	everywhere(t, func(t *testing.T, h *house, w wire) {
		h.Hook = func(_ context.Context, turn upload.Turn) (v upload.Verdict, err error) {
			if turn.Kind == upload.Completing {
				err = &upload.Refusal{Reason: "No cats, please."}
			}
			return v, err
		}
		session := begin(t, w, "a")
		w.send(t, chunk(session, 1, nil, true, "")...)
		want(t, w, `42["upload_error_`+session+`","No cats, please."]`)
	})
}

// TestSuccessWaitsForThePoll: with the acknowledgement on its way, nothing is
// sent that could come with it.
func TestSuccessWaitsForThePoll(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plainGrid(), socketio.Options{})
	_, body := h.ask(t, "GET", "EIO=4&transport=polling", "")
	p := &poller{house: h}
	if err := json.Unmarshal([]byte(body[1:]), &p.hello); err != nil {
		t.Fatal(err)
	}
	p.url = "EIO=4&transport=polling&sid=" + p.hello.ID
	p.send(t, "40")
	if _, body := h.ask(t, "GET", p.url, ""); !strings.HasPrefix(body, "40") {
		t.Fatal(body)
	}
	const session = "a-session-of-mine"
	p.send(t, append([]string{`42["begin_upload",{"sessionID":"` + session + `","fileName":"a"}]`}, chunk(session, 1, nil, true, "")...)...)
	time.Sleep(200 * time.Millisecond) // for what must not happen there is nothing to wait for
	if _, body := h.ask(t, "GET", p.url, ""); body != "431[]" {
		t.Fatalf("the poll has %q", body)
	}
	if _, body := h.ask(t, "GET", p.url, ""); body != `42["upload_success_`+session+`"]` {
		t.Fatalf("the next poll has %q", body)
	}
}

// TestAnotherSocketTakesOver: sessions are found by their ids.
func TestAnotherSocketTakesOver(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, h *house, w wire) {
		session := begin(t, w, "a")
		w.send(t, chunk(session, 1, []byte("one "), false, "")...)
		want(t, w, "431[]")
		w.close()
		other := newCaller(t, h, "")
		defer other.close()
		other.send(t, "40")
		want(t, other, "40…")
		other.send(t, chunk(session, 7, []byte("two"), true, "")...)
		want(t, other, "437[]")
		want(t, other, `42["upload_success_`+session+`"]`)
		h.has(t, "a", []byte("one two"))
	})
}

// TestSuccessFindsWhoComesBack: the client goes before it can have heard. Who
// comes back finds the server as it was, or another one; who comes late hears
// nothing.
func TestSuccessFindsWhoComesBack(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, h *house, w wire) {
		back := func() wire {
			other := newCaller(t, h, "")
			other.send(t, "40")
			want(t, other, "40…")
			return other
		}
		h.clock.Move(time.Hour) // the server has been there for long
		session := begin(t, w, "a")
		w.send(t, chunk(session, 1, nil, true, "")...)
		want(t, w, "431[]")
		w.close()
		other := back()
		want(t, other, `42["upload_success_`+session+`"]`)
		other.close()

		h.restart()
		other = back()
		want(t, other, `42["upload_success_`+session+`"]`)
		other.close()

		h.clock.Move(time.Hour)
		late := back()
		defer late.close()
		late.send(t, chunk(session, 2, []byte("more"), true, "")...)
		want(t, late, `42["upload_error_`+session+`"…`)
	})
}

// TestSeveralSessions interleave on one socket.
func TestSeveralSessions(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, h *house, w wire) {
		a, b := begin(t, w, "a"), begin(t, w, "b")
		for i := range 10 {
			w.send(t, chunk(a, 2*i, []byte{'a', byte(i)}, i == 9, "")...)
			w.send(t, chunk(b, 2*i+1, []byte{'b', byte(i)}, false, "")...)
			want(t, w, fmt.Sprintf("43%d[]", 2*i))
			want(t, w, fmt.Sprintf("43%d[]", 2*i+1))
		}
		w.send(t, chunk(b, 99, nil, true, "")...)
		var heard []string
		for !strings.Contains(strings.Join(heard, ""), a) || !strings.Contains(strings.Join(heard, ""), b) {
			heard = append(heard, w.next(t))
		}
		h.has(t, "a", []byte("a\x00a\x01a\x02a\x03a\x04a\x05a\x06a\x07a\x08a\x09"))
		h.has(t, "b", []byte("b\x00b\x01b\x02b\x03b\x04b\x05b\x06b\x07b\x08b\x09"))
	})
}

// TestMore is what a client gets that says more: chunks in any order, several
// under way, checksums, and the file in the end.
func TestMore(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, h *house, w wire) {
		content := wiretest.Rand(100_000, 2, 0)
		const session = "one-that-says-more"
		w.send(t, `421["begin_upload",{"sessionID":"`+session+`","fileName":"a.mp3","size":100000,"type":"audio/mpeg","path":"d/a.mp3","lastModified":1.5e12,"resume":true}]`)
		want(t, w, `431[{"offset":0,"ranges":"","id":"…`)
		ack := 10
		for _, at := range []int{80_000, 0, 20_000, 60_000, 40_000} {
			part := content[at : at+20_000]
			sum, crc := sha256.Sum256(part), store.CRC(0).Update(part)
			ack++
			said := fmt.Sprintf(`,"offset":%d,"length":20000,"sha256":%q,"crc64nvme":%q`, at, hex.EncodeToString(sum[:]), crc)
			w.send(t, chunk(session, ack, part, false, said)...)
		}
		want(t, w, `4311[{"offset":0,…`)
		want(t, w, `4312[{"offset":20000,…`)
		want(t, w, `4313[{"offset":40000,…`)
		want(t, w, `4314[{"offset":40000,…`)
		got := want(t, w, `4315[{"offset":100000,…`)
		var told [1]struct {
			File struct {
				ID, Name, State, URL string
				Size                 int64
			}
		}
		if err := json.Unmarshal([]byte(got[4:]), &told); err != nil || told[0].File.State != "done" ||
			told[0].File.URL != h.web.URL+"/files/"+told[0].File.ID || told[0].File.Size != 100_000 {
			t.Errorf("%v: %s", err, got)
		}
		h.has(t, "a.mp3", content)
		want(t, w, `42["upload_success_…`)
	})
}

// TestResume: the offset is told to who asks for it, in any phase.
func TestResume(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, h *house, w wire) {
		const session = "one-that-resumes"
		again := `42%d["begin_upload",{"sessionID":"` + session + `","fileName":"a","size":6,"resume":true}]`
		w.send(t, fmt.Sprintf(again, 1))
		want(t, w, `431[{"offset":0,…`)
		w.send(t, chunk(session, 2, []byte("abc"), false, `,"offset":0`)...)
		want(t, w, `432[{"offset":3,…`)
		w.send(t, chunk(session, 3, []byte("f"), false, `,"offset":5`)...)
		want(t, w, `433[{"offset":3,…`)
		w.send(t, fmt.Sprintf(again, 4))
		want(t, w, `434[{"offset":3,"ranges":"0-2,5-5",…`)
		w.send(t, fmt.Sprintf(strings.Replace(again, `"size":6`, `"size":7`, 1), 5))
		want(t, w, `42["upload_error_`+session+`","The server did not take this: the sizes do not agree…`)
		w.send(t, chunk(session, 6, []byte("cde"), false, `,"offset":2`)...)
		want(t, w, `436[{"offset":6,…`)
		want(t, w, `42["upload_success_…`)
		w.send(t, fmt.Sprintf(again, 7))
		for {
			got := w.next(t)
			if strings.HasPrefix(got, `42["upload_success_`) {
				continue // it is told again
			}
			if !strings.HasPrefix(got, `437[{"offset":6,"ranges":"0-5",`) || !strings.Contains(got, `"file":{`) {
				t.Errorf("heard %s", got)
			}
			break
		}
		h.has(t, "a", []byte("abcdef"))
	})
}

// TestCancel removes what is not whole.
func TestCancel(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, h *house, w wire) {
		session := begin(t, w, "a")
		w.send(t, `427["upload_cancel_`+session+`"]`)
		want(t, w, "437[]")
		w.send(t, chunk(session, 8, []byte("abc"), false, "")...)
		want(t, w, `42["upload_error_`+session+`","The server knows no such upload…`)
		for u := range h.Find(t.Context(), upload.Query{}) {
			if u.Phase != upload.Gone {
				t.Errorf("it is %v", u.Phase)
			}
		}
	})
}

// TestUndefined: "bundefined" is how some browsers' clients send an empty chunk, and
// other text that begins so is none.
func TestUndefined(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plainGrid(), socketio.Options{})
	p := newPoller(t, h)
	defer p.close()
	p.send(t, "40")
	want(t, p, "40…")
	session := begin(t, p, "a")
	p.post(t, strings.Join([]string{chunk(session, 1, nil, false, "")[0], "bundefined", chunk(session, 2, nil, true, "")[0], "bundefined"}, "\x1e"), 200)
	want(t, p, "431[]")
	want(t, p, "432[]")
	want(t, p, `42["upload_success_`+session+`"]`)
	h.has(t, "a", nil)
	// Sixteen characters of base64 that begin with the word.
	session = begin(t, p, "b")
	bytes, err := base64.StdEncoding.DecodeString("undefinedundefin")
	if err != nil {
		t.Fatal(err)
	}
	p.send(t, chunk(session, 3, bytes, true, "")...)
	for w := wire(p); ; {
		if got := w.next(t); strings.HasPrefix(got, "43") {
			break
		}
	}
	h.has(t, "b", bytes)
}

// TestChunkOfAnySize: what is read ahead, and what is not.
func TestChunkOfAnySize(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, h *house, w wire) {
		for _, size := range []int{1, 16<<10 - 1, 16 << 10, 16<<10 + 1, 300_000} {
			content := wiretest.Rand(size, 3, 0)
			for how, more := range map[string]string{"bare": "", "offset": `,"offset":0`, "length": fmt.Sprintf(`,"offset":0,"length":%d`, size)} {
				name := fmt.Sprint(size, how)
				session := begin(t, w, name)
				w.send(t, chunk(session, 1, content, true, more)...)
				for got := w.next(t); !strings.HasPrefix(got, "431["); got = w.next(t) {
					if strings.HasPrefix(got, `42["upload_error`) {
						t.Fatal(got)
					}
				}
				h.has(t, name, content)
			}
		}
	})
}

// TestTornChunk: a connection that ends between two frames, or between two reads
// of one, leaves nothing of a chunk that is not whole.
func TestTornChunk(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("torn "), 8<<10) // larger than what is read ahead
	for n := 0; n < len(content); n += 4 << 10 {
		h := newHouse(t, plainGrid(), socketio.Options{})
		c := newRaw(t, h)
		session := c.begin(t)
		c.frame(t, 1, true, []byte(chunk(session, 1, nil, true, "")[0]), -1)
		c.frame(t, 2, true, content, n)
		c.conn.Close()
		h.gone(t, c.hello.ID)
		for u, err := range h.Find(t.Context(), upload.Query{}) {
			if err != nil || u.Phase != upload.Receiving || u.Here != 0 {
				t.Errorf("torn after %d bytes: %v, %d bytes are here, it is %v", n, err, u.Here, u.Phase)
			}
		}
	}
}

// TestPing: who answers pings stays, who does not goes, whatever else it sends.
func TestPing(t *testing.T) {
	t.Parallel()
	for name, open := range kinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, plainGrid(), socketio.Options{PingInterval: 100 * time.Millisecond, PingTimeout: 100 * time.Millisecond, Connect: time.Minute})
			w := open(t, h)
			defer w.close()
			w.send(t, "40")
			for pings := 0; pings < 5; {
				if w.next(t) == "2" {
					pings++
					w.send(t, "3")
				}
			}
			for got := w.next(t); got != "" && got != "1"; got = w.next(t) {
				if got != "2" {
					t.Fatalf("heard %q", got)
				}
			}
		})
	}
}
