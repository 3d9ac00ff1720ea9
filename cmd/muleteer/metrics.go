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
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		uploads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muleteer_uploads_total", Help: "Uploads that ended, by protocol and outcome: finished, removed, expired.",
		}, []string{"protocol", "outcome"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muleteer_requests_total", Help: "Requests that were answered, by protocol and status code.",
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
	}
	m.registry.MustRegister(m.uploads, m.requests, m.bytes, m.open, m.panics,
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
			m.open.Dec()
			m.requests.WithLabelValues(protocol, strconv.Itoa(seen.code())).Inc()
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

func (w *watched) code() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}
