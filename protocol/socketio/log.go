package socketio

import (
	"log/slog"
	"runtime/debug"
)

// noted logs a panic, which ends no more than what it happened in.
func (h *Server) noted(p any) {
	h.log().Error("panic", "protocol", Protocol, "value", p, "stack", string(debug.Stack()))
}

// unexpected logs an error of which no client can be told.
func (h *Server) unexpected(err error) {
	h.log().Error("an error that no client can be told", "protocol", Protocol, "error", err)
}

func (h *Server) log() *slog.Logger {
	if h.s.Log != nil {
		return h.s.Log
	}
	return slog.Default()
}
