package main

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muleteer/muleteer/upload"
)

// hooked counts what a hook was asked and told, and how that ended.
func (m *metrics) hooked(h upload.Hook) upload.Hook {
	return func(ctx context.Context, t upload.Turn) (upload.Verdict, error) {
		v, err := h(ctx, t)
		outcome := "ok"
		switch {
		case errors.Is(err, upload.ErrRefused):
			outcome = "refused"
		case err != nil:
			outcome = "failed"
		}
		m.hooks.WithLabelValues(string(t.Kind), outcome).Inc()
		return v, err
	}
}

// undelivered tells how many events wait, when somebody asks.
type undelivered struct {
	box  upload.Outbox
	desc *prometheus.Desc
}

func newUndelivered(box upload.Outbox) undelivered {
	return undelivered{box, prometheus.NewDesc("muleteer_events", "Events that are not delivered: pending, or dead.", []string{"state"}, nil)}
}

// Describe is prometheus.Collector's.
func (u undelivered) Describe(c chan<- *prometheus.Desc) { c <- u.desc }

// Collect is prometheus.Collector's. What cannot be counted is not told.
func (u undelivered) Collect(c chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	pending, dead := 0, 0
	for e, err := range u.box.Events(ctx, "") {
		switch {
		case err != nil:
			return
		case e.Dead.IsZero():
			pending++
		default:
			dead++
		}
	}
	c <- prometheus.MustNewConstMetric(u.desc, prometheus.GaugeValue, float64(pending), "pending")
	c <- prometheus.MustNewConstMetric(u.desc, prometheus.GaugeValue, float64(dead), "dead")
}
