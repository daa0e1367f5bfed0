package main

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"portal.example/domain/claim"
	"portal.example/eventstore"
)

// original is a business whose events are appended over and over, each time as
// those of another business: a log of millions of events at the speed of the
// node, with the streams, types and sizes of the real histories that the demo
// follows.
//
// What is personal in a clone cannot be opened, because the sealed fields are
// bound to the original's ids. Its people count as erased.
type original struct {
	streams  []originalStream
	subjects []originalSubject
	events   int
}

type originalStream struct {
	name   template
	events []originalEvent
}

type originalEvent struct {
	id             template
	kind           string
	data, metadata template
}

type originalSubject struct{ business, id template }

// template is a text in which ids stand.
type template struct {
	text string
	ids  []int // where they begin
}

var idPattern = regexp.MustCompile(`[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

func newTemplate(text string) template {
	t := template{text: text}
	for _, found := range idPattern.FindAllStringIndex(text, -1) {
		t.ids = append(t.ids, found[0])
	}
	return t
}

// clone is the text with the ids of the nth clone. The same id becomes the same
// one everywhere, so that all references hold, and clones share none. The zeroth
// is the original.
func (t template) clone(n int) []byte {
	text := []byte(t.text)
	for _, at := range t.ids {
		var head [4]byte
		_, _ = hex.Decode(head[:], text[at:at+8]) // they are digits
		// An odd factor keeps clones apart, and scatters them as ids are.
		mapped := binary.BigEndian.Uint32(head[:]) ^ uint32(n)*0x9e3779b9
		hex.Encode(text[at:at+8], binary.BigEndian.AppendUint32(nil, mapped))
	}
	return text
}

// readOriginal takes a log with one business on it.
func readOriginal(ctx context.Context, h *history) (*original, error) {
	o := &original{}
	index := map[string]int{}
	for event, err := range h.client.ReadAll(ctx, eventstore.Start()) {
		if err != nil {
			return nil, err
		}
		// The slug of a clone is not claimed: the claim's stream is named by a hash.
		if strings.HasPrefix(event.Type, "$") || strings.HasPrefix(event.Stream, claim.Category+"-") {
			continue
		}
		i, known := index[event.Stream]
		if !known {
			i = len(o.streams)
			index[event.Stream] = i
			o.streams = append(o.streams, originalStream{name: newTemplate(event.Stream)})
		}
		o.streams[i].events = append(o.streams[i].events, originalEvent{
			id: newTemplate(event.ID.String()), kind: event.Type,
			data: newTemplate(string(event.Data)), metadata: newTemplate(string(event.Metadata)),
		})
		o.events++
	}
	rows, err := h.pool.Query(ctx, `SELECT business_id, subject FROM keys.subjects`)
	if err != nil {
		return nil, err
	}
	o.subjects, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (originalSubject, error) {
		var business, subject string
		err := row.Scan(&business, &subject)
		return originalSubject{newTemplate(business), newTemplate(subject)}, err
	})
	return o, err
}

const (
	cloneWriters = 32
	cloneBatch   = 250 // events an append at most, some hundred kilobytes
)

// cloneUntil appends clones until the log holds so many events, and returns how
// many it holds then: those of whole businesses.
func (o *original) cloneUntil(ctx context.Context, h *history, events int, report func(done int)) (int, error) {
	done := o.events
	for n := 1; done < events; n++ {
		if err := o.erase(ctx, h, n); err != nil {
			return 0, err
		}
		writers, appending := errgroup.WithContext(ctx)
		writers.SetLimit(cloneWriters)
		for i := range o.streams {
			writers.Go(func() error { return o.streams[i].append(appending, h.client, n) })
		}
		if err := writers.Wait(); err != nil {
			return 0, err
		}
		done += o.events
		report(done)
	}
	return done, nil
}

// erase makes the people of a clone known as erased: without that a reader would
// take the missing keys for a fault.
func (o *original) erase(ctx context.Context, h *history, n int) error {
	businesses, ids := make([]string, len(o.subjects)), make([]string, len(o.subjects))
	for i, s := range o.subjects {
		businesses[i], ids[i] = string(s.business.clone(n)), string(s.id.clone(n))
	}
	_, err := h.pool.Exec(ctx, `
		INSERT INTO keys.subjects (business_id, subject, destroyed_at)
		SELECT business_id, subject, now() FROM unnest($1::text[], $2::text[]) AS w (business_id, subject)
		ON CONFLICT DO NOTHING`, businesses, ids) // subjects without an id are the same in all clones
	return err
}

func (s originalStream) append(ctx context.Context, client *eventstore.Client, n int) error {
	name := string(s.name.clone(n))
	expected := eventstore.NoStream()
	for from := 0; from < len(s.events); from += cloneBatch {
		batch := make([]eventstore.Proposed, 0, cloneBatch)
		for _, e := range s.events[from:min(from+cloneBatch, len(s.events))] {
			eventID, err := uuid.ParseBytes(e.id.clone(n))
			if err != nil {
				return err
			}
			batch = append(batch, eventstore.Proposed{
				ID: eventID, Type: e.kind, Data: e.data.clone(n), Metadata: e.metadata.clone(n),
			})
		}
		at, err := client.Append(ctx, name, expected, batch...)
		if err != nil {
			return err
		}
		expected = eventstore.Exactly(at.Revision)
	}
	return nil
}
