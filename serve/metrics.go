package serve

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"usher"
)

// metrics are the server's figures. No label holds anything that a log line
// told: only kinds, states and the names of sources in the configuration.
type metrics struct {
	registry    *prometheus.Registry
	events      *prometheus.CounterVec
	broken      counter
	storeErrors counter
	explaining  histogram
	visible     histogram
}

type counter struct{ prometheus.Counter }

func (c counter) inc() { c.Inc() }

type histogram struct{ prometheus.Histogram }

func (h histogram) observe(d time.Duration) { h.Observe(d.Seconds()) }

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	m.events = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "usher_events_total", Help: "Events that were read, by the kind of the source and by result.",
	}, []string{"source", "status"})
	m.broken = counter{prometheus.NewCounter(prometheus.CounterOpts{
		Name: "usher_events_broken_total", Help: "Lines that claim to be events and could not be kept.",
	})}
	m.storeErrors = counter{prometheus.NewCounter(prometheus.CounterOpts{
		Name: "usher_store_errors_total", Help: "Transactions that failed and were tried again.",
	})}
	m.explaining = histogram{prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "usher_diagnosis_seconds", Help: "Time that one refusal takes to be explained.",
		Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .1, 1},
	})}
	m.visible = histogram{prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "usher_time_to_visible_seconds", Help: "Time from the first refusal, as its record tells it, to its case.",
		Buckets: []float64{.05, .1, .2, .3, .5, .75, 1, 2, 5, 15, 60},
	})}
	m.registry.MustRegister(m.events, m.broken, m.storeErrors, m.explaining, m.visible,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// event counts an event that was kept.
func (m *metrics) event(source string, status usher.Status) {
	word := "unknown"
	switch status {
	case usher.StatusSuccess:
		word = "success"
	case usher.StatusFailure:
		word = "failure"
	}
	m.events.WithLabelValues(source, word).Inc()
}

// opened notes how long a new case took to be seen. What was read from an old
// file says nothing about that.
func (m *metrics) opened(c *usher.Case, started, now time.Time) {
	if took := now.Sub(c.First); took >= 0 && !c.First.Before(started) {
		m.visible.observe(took)
	}
}

// gauge adds a figure that is asked for when the metrics are read.
func (m *metrics) gauge(name, help string, labels prometheus.Labels, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, value))
}

// handler answers /metrics.
func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 2, Timeout: 5 * time.Second})
}
