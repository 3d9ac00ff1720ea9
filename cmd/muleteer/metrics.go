package main

import (
	"io"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what the server counts. No label has a path or an id: their
// number stays small.
type metrics struct {
	registry *prometheus.Registry
	uploads  *prometheus.CounterVec // by protocol, outcome
	requests *prometheus.CounterVec // by protocol, code
	bytes    prometheus.Counter
	open     prometheus.Gauge
	panics   prometheus.Counter
	hooks    *prometheus.CounterVec // by turn, outcome
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		uploads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muleteer_uploads_total", Help: "Uploads that ended, by protocol and outcome: finished, removed, expired.",
		}, []string{"protocol", "outcome"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muleteer_requests_total", Help: "Requests, by protocol and status code; those whose connection was closed instead of an answer are aborted.",
		}, []string{"protocol", "code"}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "muleteer_bytes_received_total", Help: "Bytes of request bodies.",
		}),
		open: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "muleteer_open_requests", Help: "Requests that are being answered.",
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "muleteer_panics_total", Help: "Requests that ended in a panic.",
		}),
		hooks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muleteer_hook_calls_total", Help: "What hooks were asked and told, every attempt, by turn and outcome: ok, refused, failed.",
		}, []string{"turn", "outcome"}),
	}
	m.registry.MustRegister(m.uploads, m.requests, m.bytes, m.open, m.panics, m.hooks,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// handler answers GET /metrics.
func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// count counts the requests of a protocol.
func (m *metrics) count(protocol string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.open.Inc()
		seen := &watched{ResponseWriter: w}
		defer func() {
			p := recover()
			m.open.Dec()
			m.requests.WithLabelValues(protocol, seen.code(p)).Inc()
			if p != nil {
				panic(p)
			}
		}()
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = &counted{r.Body, m.bytes}
		}
		next.ServeHTTP(seen, r)
	})
}

// counted is a body whose bytes are counted as they are read.
type counted struct {
	io.ReadCloser
	bytes prometheus.Counter
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.bytes.Add(float64(n))
	return n, err
}

// watched notes the status of an answer.
type watched struct {
	http.ResponseWriter
	status int // 0 until the header is written
}

func (w *watched) WriteHeader(status int) {
	if w.status == 0 && status >= 200 { // 1xx are not the answer yet
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *watched) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// aborted stands for the status of a request whose connection was closed
// instead of an answer, or in the middle of one.
const aborted = "aborted"

// code is the status of a request that has ended, by a panic unless p is nil.
func (w *watched) code(p any) string {
	switch {
	case p == http.ErrAbortHandler, p != nil && w.status != 0:
		return aborted
	case p != nil:
		return strconv.Itoa(http.StatusInternalServerError) // which recovered answers
	case w.status == 0:
		return strconv.Itoa(http.StatusOK)
	}
	return strconv.Itoa(w.status)
}
