package main

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/muleteer/muleteer/internal/wire"
	"github.com/muleteer/muleteer/upload"
)

// eventView is how an event is told in JSON.
type eventView struct {
	ID       string     `json:"id"`
	Kind     string     `json:"kind"`
	Upload   string     `json:"upload"`
	Endpoint string     `json:"endpoint"`
	Time     time.Time  `json:"time"`
	Attempts int        `json:"attempts"`
	Due      *time.Time `json:"due,omitempty"`  // when it is tried again; now, if it is not said
	Dead     *time.Time `json:"dead,omitempty"` // since when it is not
	Error    string     `json:"error,omitempty"`
}

func viewOfEvent(e upload.Event) eventView {
	some := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		t = t.UTC().Truncate(time.Millisecond)
		return &t
	}
	return eventView{
		ID: e.ID, Kind: string(e.Kind), Upload: e.Upload, Endpoint: e.Endpoint, Time: *some(e.At),
		Attempts: e.Attempts, Due: some(e.Due), Dead: some(e.Dead), Error: e.Error,
	}
}

// listed is how many events are told at once, at most.
const listed = 1000

// outbox is where events can be seen that are not delivered:
//
//	GET    /events             all, the oldest first; with ?dead=1 the dead ones
//	GET    /events/ID          one
//	POST   /events/ID/replay   has it tried again; /events/replay all that are dead
//	DELETE /events/ID          forgets it
func (h *house) outbox() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.Trim(strings.TrimPrefix(r.URL.Path, "/events"), "/")
		id, verb, _ := strings.Cut(path, "/")
		var err error
		switch {
		case r.Method == http.MethodPost && path == "replay":
			err = h.replayDead(w, r)
		case r.Method == http.MethodPost && verb == "replay":
			err = done(w, h.service.Replay(r.Context(), id))
		case verb != "":
			err = upload.ErrNotFound
		case r.Method == http.MethodDelete && id != "":
			err = done(w, h.service.Drop(r.Context(), id))
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			err = h.showEvents(w, r, id)
		default:
			w.Header().Set("Allow", "DELETE, GET, HEAD, POST")
			wire.Problem(w, http.StatusMethodNotAllowed, "", "Events are read, replayed by POST to /events/ID/replay, and dropped by DELETE.")
		}
		if err != nil {
			failEvents(w, r, h.service, err)
		}
	})
}

func done(w http.ResponseWriter, err error) error {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

// showEvents tells of one event, or of all.
func (h *house) showEvents(w http.ResponseWriter, r *http.Request, id string) error {
	views := []eventView{}
	dead := r.URL.Query().Get("dead") != ""
	for e, err := range h.service.Events(r.Context(), id) {
		if err != nil {
			return err
		}
		if dead && e.Dead.IsZero() {
			continue
		}
		if views = append(views, viewOfEvent(e)); len(views) == listed {
			break
		}
	}
	switch {
	case id == "":
		wire.JSON(w, http.StatusOK, views)
	case len(views) == 0:
		return upload.ErrNotFound
	default:
		wire.JSON(w, http.StatusOK, views[0])
	}
	return nil
}

// replayDead replays all dead events, and tells how many there were.
func (h *house) replayDead(w http.ResponseWriter, r *http.Request) error {
	n := 0
	for e, err := range h.service.Events(r.Context(), "") {
		if err == nil && e.Dead.IsZero() {
			continue
		}
		if err == nil {
			err = h.service.Replay(r.Context(), e.ID)
		}
		if err != nil && !errors.Is(err, upload.ErrNotFound) {
			return err
		}
		n++
	}
	wire.JSON(w, http.StatusOK, map[string]int{"replayed": n})
	return nil
}

func failEvents(w http.ResponseWriter, r *http.Request, s *upload.Service, err error) {
	status, known := wire.Status(err)
	switch {
	case !known:
		wire.Log(s, r, err)
		wire.Problem(w, status, "", "")
	case errors.Is(err, upload.ErrNotFound):
		wire.Problem(w, status, "", "There is no such event (any more): it was delivered, or dropped.")
	case errors.Is(err, upload.ErrDenied):
		wire.Problem(w, status, "", "Events are for who may manage: "+strconv.Quote(string(upload.MayManage))+" was not permitted.")
	default:
		wire.Problem(w, status, "", err.Error())
	}
}
