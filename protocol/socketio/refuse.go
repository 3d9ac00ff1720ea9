package socketio

import (
	"errors"
	"io"
	"net/http"

	"github.com/muleteer/muleteer/internal/wire"
)

// refusal is an error of Engine.IO, with the code that its clients know. All of
// them end a socket; after errUnknown the client connects anew.
type refusal struct {
	code, status int
	message      string
}

func (e refusal) Error() string { return e.message }

var (
	errTransport = refusal{0, http.StatusBadRequest, "Transport unknown"}
	errUnknown   = refusal{1, http.StatusBadRequest, "Session ID unknown"}
	errMethod    = refusal{2, http.StatusBadRequest, "Bad handshake method"}
	errRequest   = refusal{3, http.StatusBadRequest, "Bad request"}
	errTooLarge  = refusal{3, http.StatusRequestEntityTooLarge, "The body has more than 1,000,000 bytes"}
	errForbidden = refusal{4, http.StatusForbidden, "A page of another site sent this; the server's owner can allow that site by --cors"}
	errVersion   = refusal{5, http.StatusBadRequest, "Unsupported protocol version"}
	errCrowded   = refusal{3, http.StatusServiceUnavailable, "There are too many sockets; try again later"}
	errEnding    = refusal{3, http.StatusServiceUnavailable, "The server is ending; try again"}
)

// refuse answers with an error.
func refuse(w http.ResponseWriter, err error) {
	e := errRequest
	errors.As(err, &e)
	wire.Retry(w.Header(), e.status)
	wire.JSON(w, e.status, struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{e.code, e.message})
}

// plain answers a poll.
func plain(w http.ResponseWriter, packets string) {
	w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
	_, _ = io.WriteString(w, packets) // who has left needs no answer
}
