package outbox

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are told by the instance that leads.
type metrics struct {
	delivered, failed prometheus.Counter
	leader            prometheus.Gauge
	head              atomic.Int64 // when the log took the event at the head, Unix nanoseconds; 0: none waits
}

func newMetrics(outbox string, registerer prometheus.Registerer) (*metrics, error) {
	name := func(name, help string) prometheus.Opts {
		return prometheus.Opts{
			Namespace: "portal", Subsystem: "outbox", Name: name, Help: help,
			ConstLabels: prometheus.Labels{"outbox": outbox},
		}
	}
	m := &metrics{
		delivered: prometheus.NewCounter(prometheus.CounterOpts(name("delivered_total", "Events delivered."))),
		failed:    prometheus.NewCounter(prometheus.CounterOpts(name("failures_total", "Deliveries that failed and are tried again."))),
		leader:    prometheus.NewGauge(prometheus.GaugeOpts(name("leader", "1 where this instance leads."))),
	}
	if registerer == nil {
		return m, nil
	}
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts(
		name("head_waiting_seconds", "Age of the event that is being delivered and holds up what follows, 0 where none is.")), m.waiting)
	var problems []error
	for _, c := range []prometheus.Collector{m.delivered, m.failed, m.leader, waiting} {
		problems = append(problems, registerer.Register(c))
	}
	return m, errors.Join(problems...)
}

// waitsFor says when the log took the event that is at the head; the zero time
// that there is none.
func (m *metrics) waitsFor(created time.Time) {
	if created.IsZero() {
		m.head.Store(0)
		return
	}
	m.head.Store(created.UnixNano())
}

func (m *metrics) waiting() float64 {
	head := m.head.Load()
	if head == 0 {
		return 0
	}
	return max(0, time.Since(time.Unix(0, head)).Seconds())
}
