package reactions

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are told for wake-ups and jobs alike, by reaction.
type metrics struct {
	handled, failed, parked *prometheus.CounterVec
	seconds                 *prometheus.HistogramVec
}

func newMetrics(registerer prometheus.Registerer) *metrics {
	labels := []string{"reaction", "by"}
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "portal", Subsystem: "reaction", Name: name, Help: help,
		}, labels)
	}
	m := &metrics{
		handled: counter("handled_total", "Events dealt with: by a wake-up, which may have left a job, or by that job."),
		failed:  counter("failed_total", "Tries that failed and may be followed by others."),
		parked:  counter("parked_total", "Events given up: wake-ups parked in the log, jobs kept in Postgres."),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "portal", Subsystem: "reaction", Name: "seconds",
			Help: "Duration of a try.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 9),
		}, labels),
	}
	if registerer != nil {
		registerer.MustRegister(m.handled, m.failed, m.parked, m.seconds)
	}
	return m
}

// Who deals with an event.
const (
	wakeUp = "wake-up"
	job    = "job"
)

// tried counts a try. What stopping interrupted is none.
func (m *metrics) tried(reaction, by string, took time.Duration, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	m.seconds.WithLabelValues(reaction, by).Observe(took.Seconds())
	if err != nil {
		m.failed.WithLabelValues(reaction, by).Inc()
		return
	}
	m.handled.WithLabelValues(reaction, by).Inc()
}
