package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// patience bounds every test. It is generous, because a server under test may
// be far away or on a loaded machine; no test waits for it to pass.
const patience = 2 * time.Minute

// everything is more events than any read of the suite returns.
const everything = math.MaxInt32

// test is one statement about the server, and what shows it.
type test struct {
	name string
	run  func(h *harness)
}

func (s *suite) runAll(t *testing.T, tests []test) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.run(s.harness(t))
		})
	}
}

// harness is what a test works with. Its methods end the test where the server
// does not do what the test takes for granted.
type harness struct {
	*testing.T
	*suite
	ctx context.Context //nolint:containedctx // a harness lives exactly as long as its test
}

func (s *suite) harness(t *testing.T) *harness {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return &harness{T: t, suite: s, ctx: ctx}
}

// category names a group of streams that no other test and no other run uses.
func (h *harness) category() string {
	return "storetest" + strings.ReplaceAll(uuid.NewString(), "-", "")
}

// stream names a stream that no other test and no other run uses.
func (h *harness) stream() string { return "storetest-" + uuid.NewString() }

// events proposes n events that differ in id and data.
func events(n int) []esdb.EventData {
	proposed := make([]esdb.EventData, n)
	for i := range proposed {
		proposed[i] = event("Happened", fmt.Sprintf(`{"n":%d}`, i))
	}
	return proposed
}

func event(kind, json string) esdb.EventData {
	return esdb.EventData{
		EventID: uuid.New(), EventType: kind, ContentType: esdb.ContentTypeJson,
		Data: []byte(json), Metadata: []byte(`{"by":"storetest"}`),
	}
}

// existing makes a stream of n events and returns its name and the events.
func (h *harness) existing(n int) (string, []esdb.EventData) {
	h.Helper()
	stream, proposed := h.stream(), events(n)
	h.append(stream, esdb.NoStream{}, proposed...)
	return stream, proposed
}

func (h *harness) append(stream string, expected esdb.ExpectedRevision, proposed ...esdb.EventData) *esdb.WriteResult {
	h.Helper()
	result, err := h.tryAppend(stream, expected, proposed...)
	if err != nil {
		h.Fatalf("append of %d events to %s expecting %T%v: %v", len(proposed), stream, expected, expected, err)
	}
	return result
}

func (h *harness) tryAppend(stream string, expected esdb.ExpectedRevision, proposed ...esdb.EventData) (*esdb.WriteResult, error) {
	return h.client.AppendToStream(h.ctx, stream, esdb.AppendToStreamOptions{ExpectedRevision: expected}, proposed...)
}

// mark appends an event and returns its position, so that a test can look at
// the part of $all that was written since it began.
func (h *harness) mark() esdb.Position {
	h.Helper()
	return positionOf(h.append(h.stream(), esdb.NoStream{}, events(1)...))
}

func (h *harness) delete(stream string, expected esdb.ExpectedRevision) esdb.Position {
	h.Helper()
	result, err := h.client.DeleteStream(h.ctx, stream, esdb.DeleteStreamOptions{ExpectedRevision: expected})
	if err != nil {
		h.Fatalf("delete of %s: %v", stream, err)
	}
	return result.Position
}

func (h *harness) tombstone(stream string, expected esdb.ExpectedRevision) esdb.Position {
	h.Helper()
	result, err := h.client.TombstoneStream(h.ctx, stream, esdb.TombstoneStreamOptions{ExpectedRevision: expected})
	if err != nil {
		h.Fatalf("tombstone of %s: %v", stream, err)
	}
	return result.Position
}

// read reads a stream whole, forwards.
func (h *harness) read(stream string) []*esdb.ResolvedEvent {
	h.Helper()
	return h.readWith(stream, esdb.ReadStreamOptions{}, everything)
}

func (h *harness) readWith(stream string, options esdb.ReadStreamOptions, count uint64) []*esdb.ResolvedEvent {
	h.Helper()
	read, err := h.tryRead(stream, options, count)
	if err != nil {
		h.Fatalf("read of %s: %v", stream, err)
	}
	return read
}

func (h *harness) tryRead(stream string, options esdb.ReadStreamOptions, count uint64) ([]*esdb.ResolvedEvent, error) {
	reading, err := h.client.ReadStream(h.ctx, stream, options, count)
	if err != nil {
		return nil, err
	}
	return drain(reading)
}

// readAll reads $all, from the position and from there to its end unless the
// options say otherwise.
func (h *harness) readAll(options esdb.ReadAllOptions, count uint64) []*esdb.ResolvedEvent {
	h.Helper()
	reading, err := h.client.ReadAll(h.ctx, options, count)
	if err != nil {
		h.Fatalf("read of $all: %v", err)
	}
	read, err := drain(reading)
	if err != nil {
		h.Fatalf("read of $all: %v", err)
	}
	return read
}

func drain(reading *esdb.ReadStream) ([]*esdb.ResolvedEvent, error) {
	defer reading.Close()
	var read []*esdb.ResolvedEvent
	for {
		e, err := reading.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return read, nil
		case err != nil:
			return read, err
		}
		read = append(read, e)
	}
}

// wantEvents checks that what was read is exactly what was proposed, in order.
func (h *harness) wantEvents(read []*esdb.ResolvedEvent, proposed []esdb.EventData) {
	h.Helper()
	if diff := cmp.Diff(proposedIDs(proposed), readIDs(read)); diff != "" {
		h.Fatalf("ids of the events read (-want +got):\n%s", diff)
	}
	same := func(e *esdb.ResolvedEvent, p esdb.EventData) bool { return bytes.Equal(e.OriginalEvent().Data, p.Data) }
	if !slices.EqualFunc(read, proposed, same) {
		h.Fatal("the events read have the right ids and other data")
	}
}

func (h *harness) wantRevisions(read []*esdb.ResolvedEvent, want ...uint64) {
	h.Helper()
	got := make([]uint64, 0, len(read))
	for _, e := range read {
		got = append(got, e.OriginalEvent().EventNumber)
	}
	if diff := cmp.Diff(append([]uint64{}, want...), got); diff != "" {
		h.Fatalf("revisions (-want +got):\n%s", diff)
	}
}

func (h *harness) wantNoStream(stream string) {
	h.Helper()
	for _, direction := range []esdb.Direction{esdb.Forwards, esdb.Backwards} {
		_, err := h.tryRead(stream, esdb.ReadStreamOptions{Direction: direction, From: endOf(direction)}, 1)
		h.wantCode(err, esdb.ErrorCodeResourceNotFound)
	}
}

// endOf is where a reading in this direction begins to see the whole stream.
func endOf(direction esdb.Direction) esdb.StreamPosition {
	if direction == esdb.Backwards {
		return esdb.End{}
	}
	return esdb.Start{}
}

func (h *harness) wantCode(err error, want esdb.ErrorCode) {
	h.Helper()
	var refused *esdb.Error
	switch {
	case err == nil:
		h.Fatalf("no error, want code %d", want)
	case !errors.As(err, &refused):
		h.Fatalf("%v (%T), want an *esdb.Error with code %d", err, err, want)
	case refused.Code() != want:
		h.Fatalf("%v, want code %d", err, want)
	}
}

func (h *harness) wantPosition(what string, got, want esdb.Position) {
	h.Helper()
	if got != want {
		h.Fatalf("%s: position %v, want %v", what, got, want)
	}
}

func positionOf(r *esdb.WriteResult) esdb.Position {
	return esdb.Position{Commit: r.CommitPosition, Prepare: r.PreparePosition}
}

// before orders positions as the log does.
func before(a, b esdb.Position) bool {
	return a.Commit < b.Commit || a.Commit == b.Commit && a.Prepare < b.Prepare
}

func proposedIDs(proposed []esdb.EventData) []string {
	ids := make([]string, 0, len(proposed))
	for _, e := range proposed {
		ids = append(ids, e.EventID.String())
	}
	return ids
}

func readIDs(read []*esdb.ResolvedEvent) []string {
	ids := make([]string, 0, len(read))
	for _, e := range read {
		ids = append(ids, e.OriginalEvent().EventID.String())
	}
	return ids
}

// ofStream leaves only the events of one stream.
func ofStream(stream string, read []*esdb.ResolvedEvent) []*esdb.ResolvedEvent {
	var kept []*esdb.ResolvedEvent
	for _, e := range read {
		if e.OriginalEvent().StreamID == stream {
			kept = append(kept, e)
		}
	}
	return kept
}
