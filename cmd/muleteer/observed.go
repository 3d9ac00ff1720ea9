package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/muleteer/muleteer/state"
	"github.com/muleteer/muleteer/upload"
)

// observed is a state that counts and logs how uploads end. It stands here and
// not in a hook, because a small upload costs a single commit only as long as
// no hook has to be told.
type observed struct {
	state.State
	metrics *metrics
	log     *slog.Logger
}

func (o observed) Create(ctx context.Context, u *upload.Record, q upload.Quota, ev ...upload.Event) error {
	err := o.State.Create(ctx, u, q, ev...)
	if err == nil {
		o.saw(ctx, u)
	}
	return err
}

func (o observed) Save(ctx context.Context, u *upload.Record, ev ...upload.Event) error {
	err := o.State.Save(ctx, u, ev...)
	if err == nil {
		o.saw(ctx, u)
	}
	return err
}

func (o observed) saw(ctx context.Context, u *upload.Record) {
	switch {
	case u.Partial:
	case u.Phase == upload.Done && u.Meta.Confirmed: // it was finished before
	case u.Phase == upload.Done:
		o.metrics.uploads.WithLabelValues(u.Protocol, "finished").Inc()
		o.log.Info("finished", "id", u.ID, "protocol", u.Protocol, "name", u.Meta.Name, "size", u.Size,
			"key", u.Key, "took", time.Since(u.Began).Round(time.Millisecond))
	case u.Phase == upload.Gone && !u.Cleared:
		outcome := "removed"
		if ctx.Value(inSweep{}) != nil {
			outcome = "expired"
		}
		o.metrics.uploads.WithLabelValues(u.Protocol, outcome).Inc()
		o.log.Info(outcome, "id", u.ID, "protocol", u.Protocol, "name", u.Meta.Name)
	}
}

// inSweep is the key by which a context says that it is the sweep's.
type inSweep struct{}
