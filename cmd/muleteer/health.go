package main

import (
	"context"
	"net/http"
	"time"

	"github.com/muleteer/muleteer/internal/wire"
)

// healthy answers /healthz: the program runs.
func healthy(w http.ResponseWriter, _ *http.Request) {
	wire.JSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// ready answers /readyz: whether uploads can be taken now.
func (h *house) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	trouble := ""
	switch {
	case h.drain.ending.Load():
		trouble = "The server is ending."
	case h.kept.State.Ping(ctx) != nil:
		trouble = "The state does not answer."
	default:
		if _, err := h.kept.free(ctx); err != nil {
			trouble = "The store does not answer."
		}
	}
	if trouble != "" {
		wire.Problem(w, http.StatusServiceUnavailable, "", trouble)
		return
	}
	wire.JSON(w, http.StatusOK, map[string]string{"status": "ready"})
}
