package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"portal.example/eventstore"
)

// send appends one event to a stream whose last event has the given revision;
// noEvents where there is no such stream yet.
type send func(ctx context.Context, stream string, last int, body payload) error

const noEvents = -1

// byClient sends by EventStoreDB's own client.
func byClient(client *esdb.Client) send {
	return func(ctx context.Context, stream string, last int, body payload) error {
		options := esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}
		if last != noEvents {
			options.ExpectedRevision = esdb.Revision(uint64(last))
		}
		_, err := client.AppendToStream(ctx, stream, options, newEvent(body))
		return err
	}
}

func newEvent(body payload) esdb.EventData {
	return esdb.EventData{
		EventID:     uuid.New(),
		EventType:   eventType,
		ContentType: esdb.ContentTypeJson,
		Data:        body.Data,
		Metadata:    body.Metadata,
	}
}

// byPortal sends as the portal does.
func byPortal(client *eventstore.Client) send {
	return func(ctx context.Context, stream string, last int, body payload) error {
		expected := eventstore.NoStream()
		if last != noEvents {
			expected = eventstore.Exactly(uint64(last))
		}
		_, err := client.Append(ctx, stream, expected, eventstore.Proposed{
			ID: uuid.New(), Type: eventType, Data: body.Data, Metadata: body.Metadata,
		})
		return err
	}
}

// appender is one writer of the load: an event an append, each at the revision
// that the stream has, a new stream after eventsPerStream.
type appender struct {
	send     send
	payloads []payload
	stream   string
	sent     int
}

func newAppender(send send, payloads []payload, i int) *appender {
	return &appender{send: send, payloads: payloads, sent: i * eventsPerStream} // writers differ in payload
}

func (a *appender) append(ctx context.Context) error {
	last := a.sent%eventsPerStream - 1
	if last == noEvents {
		a.stream = category + "-" + uuid.NewString()
	}
	body := a.payloads[a.sent%len(a.payloads)]
	a.sent++
	return a.send(ctx, a.stream, last, body)
}

// appending is the side that takes the load on a fresh server of that kind, by
// EventStoreDB's own client.
func appending(lab *Lab, name, kind string, start starter, writers int) *Side {
	return &Side{Name: name, Measure: func(ctx context.Context) (Sample, error) {
		return lab.withServer(ctx, start, kind, func(s *server) (Sample, error) {
			return lab.append(ctx, byClient(s.client), writers)
		})
	}}
}

// appendingByPortal is the same on the node, by the portal's client.
func appendingByPortal(lab *Lab, name string, start starter, writers int) *Side {
	return &Side{Name: name, Measure: func(ctx context.Context) (Sample, error) {
		return lab.withServer(ctx, start, embeddedNode, func(s *server) (Sample, error) {
			client, err := s.portal()
			if err != nil {
				return nil, err
			}
			sample, err := lab.append(ctx, byPortal(client), writers)
			return sample, errors.Join(err, client.Close())
		})
	}}
}

func (l *Lab) append(ctx context.Context, send send, writers int) (Sample, error) {
	return l.load(writers).run(ctx, func(i int) func(context.Context) error {
		return newAppender(send, l.payloads, i).append
	})
}

// filledLog is what a log was filled with in advance: streams of
// filledPerStream events each, and how far each has come since.
type filledLog struct {
	last []uint32 // revision of the last event, by stream
}

const filledPerStream = 20

// filledStream is the name of the nth stream; names that follow each other do
// not sort beside each other, as with real ids.
func filledStream(n int) string {
	return category + "-" + uuid.NewSHA1(uuid.NameSpaceOID, binary.BigEndian.AppendUint64(nil, uint64(n))).String()
}

// fill appends that many events, a stream an append, and reports how far it is
// every tenth of the way.
func fill(ctx context.Context, client *esdb.Client, payloads []payload, events int, report func(done int)) (*filledLog, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	filled := &filledLog{last: make([]uint32, events/filledPerStream)}
	var next, done atomic.Int64
	var writers sync.WaitGroup
	for range 16 {
		writers.Go(func() {
			for n := int(next.Add(1)) - 1; n < len(filled.last) && ctx.Err() == nil; n = int(next.Add(1)) - 1 {
				if err := fillStream(ctx, client, payloads, n); err != nil {
					cancel(fmt.Errorf("filling the log: %w", err))
					return
				}
				filled.last[n] = filledPerStream - 1
				if d := int(done.Add(1)); d%max(len(filled.last)/10, 1) == 0 {
					report(d * filledPerStream)
				}
			}
		})
	}
	writers.Wait()
	return filled, context.Cause(ctx)
}

func fillStream(ctx context.Context, client *esdb.Client, payloads []payload, n int) error {
	batch := make([]esdb.EventData, filledPerStream)
	for i := range batch {
		batch[i] = newEvent(payloads[(n*filledPerStream+i)%len(payloads)])
	}
	_, err := client.AppendToStream(ctx, filledStream(n), esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}, batch...)
	return err
}

// newMixedAppender is a writer for a filled log: every second append goes to
// one of its old streams, picked at random, as a customer who comes back does.
func (f *filledLog) newMixedAppender(send send, payloads []payload, i, writers int) func(context.Context) error {
	fresh := newAppender(send, payloads, i)
	random := rand.New(rand.NewPCG(uint64(i), uint64(len(f.last)))) //nolint:gosec // a choice of streams, no secret
	old := false
	return func(ctx context.Context) error {
		if old = !old; old {
			return fresh.append(ctx)
		}
		n := i + writers*random.IntN(len(f.last)/writers) // no other writer's
		err := send(ctx, filledStream(n), int(f.last[n]), payloads[n%len(payloads)])
		if err == nil {
			f.last[n]++
		}
		return err
	}
}
