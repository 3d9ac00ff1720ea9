package chunkform

import (
	"net/http"

	"github.com/muleteer/muleteer/upload"
)

// What some clients want to hear beside what all are told.

func fineSuccess(_ *answer, _ *upload.Record, m map[string]any) { m["success"] = true }

func fineFailure(_ *answer, f failure, m map[string]any) {
	m["success"] = false
	if f.reset {
		m["reset"] = true
	} else if !f.again {
		m["preventRetry"] = true
	}
}

func pluploadSuccess(_ *answer, _ *upload.Record, m map[string]any) {
	m["jsonrpc"], m["result"] = "2.0", nil
}

func pluploadFailure(_ *answer, f failure, m map[string]any) {
	m["jsonrpc"], m["id"] = "2.0", nil
	m["error"] = map[string]any{"code": f.status, "message": f.text}
}

func kendoSuccess(a *answer, u *upload.Record, m map[string]any) {
	m["uploaded"], m["fileUid"] = u.Whole(), a.q.id
}

func cloudinarySuccess(a *answer, u *upload.Record, m map[string]any) {
	m["done"], m["bytes"], m["public_id"], m["secure_url"] = u.Whole(), u.Here, u.ID, m["url"]
}

func cloudinaryFailure(_ *answer, f failure, m map[string]any) {
	m["error"] = map[string]any{"message": f.text}
}

func blueimpSuccess(a *answer, u *upload.Record, m map[string]any) {
	m["files"] = []any{map[string]any{
		"name": u.Meta.Name, "size": u.Here, "type": u.Type, "url": m["url"],
		"deleteUrl": a.URL.To(a.r, "/uploads/"+u.ID), "deleteType": http.MethodDelete,
	}}
}

func blueimpFailure(a *answer, f failure, m map[string]any) {
	m["files"] = []any{map[string]any{"name": a.q.meta.Name, "size": max(a.q.total, 0), "error": f.text}}
}

// remover is the client that removes files by its own ids.
func remover() client {
	for _, c := range clients {
		if c.unique {
			return c
		}
	}
	return client{}
}

// rangedByName is the client that asks for its upload by the name of its file.
func rangedByName() client {
	for _, c := range clients {
		if c.ranged && c.sequential {
			return c
		}
	}
	return client{}
}
