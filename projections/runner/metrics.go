package runner

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are told by the instance that leads; the labels tell a build that is
// being filled from the live one by its number.
type metrics struct {
	events                  *prometheus.CounterVec
	batchSize, batchSeconds *prometheus.HistogramVec
	position, lag, held     *prometheus.GaugeVec
	leads                   *prometheus.GaugeVec

	// Of builds that are being filled.
	fraction, rate, remaining *prometheus.GaugeVec
}

func newMetrics(registerer prometheus.Registerer) *metrics {
	labels := []string{"projection", "build"}
	name := func(n, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "portal", Subsystem: "projection", Name: n, Help: help}
	}
	gauge := func(n, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts(name(n, help)), labels)
	}
	m := &metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts(
			name("events_total", "Events applied or held back.")), labels),
		batchSize: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "portal", Subsystem: "projection", Name: "batch_events",
			Help: "Events in a transaction.", Buckets: prometheus.ExponentialBuckets(1, 4, 8),
		}, labels),
		batchSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "portal", Subsystem: "projection", Name: "batch_seconds",
			Help: "Duration of a transaction.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
		}, labels),
		position: gauge("position", "Commit position up to which the log has been dealt with."),
		lag:      gauge("lag_seconds", "Age of the moment up to which the tables are complete."),
		held:     gauge("quarantined_streams", "Streams that wait for a retry."),
		leads:    gauge("leader", "1 where this instance leads."),

		fraction:  gauge("replay_done_ratio", "How much of the log a build that is being filled has dealt with, 0 to 1."),
		rate:      gauge("replay_events_per_second", "Events that a build is being filled with, of late."),
		remaining: gauge("replay_remaining_seconds", "About how long the rest takes; absent where nobody can tell."),
	}
	if registerer != nil {
		registerer.MustRegister(m.events, m.batchSize, m.batchSeconds, m.position, m.lag, m.held, m.leads,
			m.fraction, m.rate, m.remaining)
	}
	return m
}

func (b build) labels() prometheus.Labels {
	return prometheus.Labels{"projection": b.projection.Name(), "build": strconv.FormatInt(b.id, 10)}
}

func (m *metrics) applied(b build, events int, took time.Duration) {
	labels := b.labels()
	m.events.With(labels).Add(float64(events))
	m.batchSize.With(labels).Observe(float64(events))
	m.batchSeconds.With(labels).Observe(took.Seconds())
}

func (m *metrics) at(b build, at checkpoint, quarantined int, now time.Time) {
	labels := b.labels()
	m.leads.With(labels).Set(1)
	m.position.With(labels).Set(float64(at.position.Commit))
	m.lag.With(labels).Set(max(0, now.Sub(at.asOf).Seconds()))
	m.held.With(labels).Set(float64(quarantined))
}

// left forgets what only the leader can tell.
func (m *metrics) left(b build) {
	labels := b.labels()
	m.leads.With(labels).Set(0)
	m.position.Delete(labels)
	m.lag.Delete(labels)
	m.held.Delete(labels)
	m.filled(b)
}

// filling is how far a build is that is not live.
func (m *metrics) filling(b build, p Progress) {
	labels := b.labels()
	m.fraction.With(labels).Set(p.Fraction)
	m.rate.With(labels).Set(p.Rate)
	if p.Remaining < 0 {
		m.remaining.Delete(labels)
		return
	}
	m.remaining.With(labels).Set(p.Remaining.Seconds())
}

// filled forgets it.
func (m *metrics) filled(b build) {
	labels := b.labels()
	m.fraction.Delete(labels)
	m.rate.Delete(labels)
	m.remaining.Delete(labels)
}
