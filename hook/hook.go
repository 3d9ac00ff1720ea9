// Package hook is where it is said who is asked about an upload, and who is
// told of it. What a hook is, and when it is called, is said at upload.Hook.
//
// A hook here is a sender and a form. The sender brings a message to its
// receiver: Web to an address on the network, Program to a program on this
// machine. The form says what a message looks like and what an answer means: Ours
// is that of docs/events.md, Tusd that of another upload server, so that
// receivers made for it go on working.
package hook

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/muleteer/muleteer/upload"
)

// None asks nobody and tells nobody.
func None(context.Context, upload.Turn) (upload.Verdict, error) { return upload.Verdict{}, nil }

// A Form is a language in which a receiver is spoken to.
type Form interface {
	// Name is what the form calls a kind of turn, "" if it has no word for it;
	// then nobody is asked or told.
	Name(k upload.Kind) string
	// message is what is sent as JSON. The request is nil where there is none.
	message(id string, t upload.Turn, r *Request) any
	// environment is what a program finds in its own, beside Environment.
	environment(t upload.Turn) []string
	// verdict reads the answer to a turn that may be refused. An empty one
	// changes nothing.
	verdict(t upload.Turn, answer []byte) (upload.Verdict, error)
}

// A Sender brings messages to a receiver and returns what it answers. An error
// means that nobody knows whether it arrived.
type Sender interface {
	send(ctx context.Context, m message) (answer []byte, err error)
}

// message is what a sender brings.
type message struct {
	id          string      // the same at every attempt
	name        string      // of the turn, in the form's words
	body        []byte      // JSON
	environment []string    // for a program
	header      http.Header // of the client's request, what was listed by name
}

// answerLimit is how many bytes an answer may have.
const answerLimit = 64 << 10

// New returns the hook that speaks to one receiver. What the receiver answers to
// a turn that has happened is not read.
func New(s Sender, f Form) upload.Hook {
	return func(ctx context.Context, t upload.Turn) (upload.Verdict, error) {
		name := f.Name(t.Kind)
		if name == "" {
			return upload.Verdict{}, nil
		}
		m := message{id: cmp.Or(t.EventID, "ask_"+rand.Text()), name: name, environment: f.environment(t)}
		request := requestOf(ctx)
		if request != nil {
			m.header = request.listed
		}
		var err error
		if m.body, err = json.Marshal(f.message(m.id, t, request)); err != nil {
			return upload.Verdict{}, fmt.Errorf("%s: %w", name, err)
		}
		answer, err := s.send(ctx, m)
		if err != nil || !t.Kind.Asks() {
			return upload.Verdict{}, err
		}
		return f.verdict(t, answer)
	}
}
