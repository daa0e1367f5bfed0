package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
)

// appender is one writer of the load on our side: an event an append, each at
// the revision that the stream must have, a new stream after eventsPerStream.
type appender struct {
	client   *esdb.Client
	payloads []payload
	stream   string
	sent     int // by this writer
}

func newAppender(client *esdb.Client, payloads []payload, i int) *appender {
	return &appender{client: client, payloads: payloads[i%len(payloads):]}
}

func (a *appender) append(ctx context.Context) error {
	var expected esdb.ExpectedRevision = esdb.NoStream{}
	if n := a.sent % eventsPerStream; n == 0 {
		a.stream = category + "-" + uuid.NewString()
	} else {
		expected = esdb.Revision(uint64(n - 1))
	}
	a.sent++
	return a.send(ctx, a.stream, expected)
}

func (a *appender) send(ctx context.Context, stream string, expected esdb.ExpectedRevision) error {
	event := newEvent(a.payloads[a.sent%len(a.payloads)])
	_, err := a.client.AppendToStream(ctx, stream, esdb.AppendToStreamOptions{ExpectedRevision: expected}, event)
	return err
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

// appending is a side's measurement: the load on a fresh server of that kind.
func appending(lab *Lab, name, kind string, start starter, writers int) *Side {
	return &Side{Name: name, Measure: func(ctx context.Context) (Sample, error) {
		return lab.withServer(ctx, start, kind, func(s *server) (Sample, error) {
			return lab.load(writers).run(ctx, func(i int) func(context.Context) error {
				return newAppender(s.client, lab.payloads, i).append
			})
		})
	}}
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
func (f *filledLog) newMixedAppender(client *esdb.Client, payloads []payload, i, writers int) func(context.Context) error {
	fresh := newAppender(client, payloads, i)
	random := rand.New(rand.NewPCG(uint64(i), uint64(len(f.last)))) //nolint:gosec // a choice of streams, no secret
	old := false
	return func(ctx context.Context) error {
		if old = !old; old {
			return fresh.append(ctx)
		}
		n := i + writers*random.IntN(len(f.last)/writers) // no other writer's
		err := fresh.send(ctx, filledStream(n), esdb.Revision(uint64(f.last[n])))
		if err == nil {
			f.last[n]++
		}
		return err
	}
}
