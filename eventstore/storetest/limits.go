package storetest

import (
	"bytes"
	"sync"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func limitTests() []test {
	return []test{
		{"an event of nearly 1 MiB goes in and comes out whole", largestEvent},
		{"an event above 1 MiB is refused, with trailers", tooLargeEvent},
		{"events that are above 1 MiB together are refused together", tooLargeTogether},
		{"the refusal reaches a client that is still sending", tooLargeWhileSending},
		{"a message that no append could need is refused", hugeMessage},
		{"a client that opens an append and goes silent holds up nobody", silentClient},
		{"10,000 streams read at once", manyReads},
	}
}

// maxAppend bounds the data of one append. What else of an event counts towards
// it depends on the server's version, so the suite stays away from the edge by
// more than that.
const maxAppend = 1 << 20

func largestEvent(h *harness) {
	stream := h.stream()
	data := bytes.Repeat([]byte{0xab}, maxAppend-1024)
	if _, _, err := h.appendRaw(appendOptions(stream, noStream), message(data)); err != nil {
		h.Fatal(err)
	}
	if got := h.read(stream)[0].Event.Data; !bytes.Equal(got, data) {
		h.Fatalf("%d bytes, want the %d given", len(got), len(data))
	}
}

func (h *harness) wantTooLarge(stream string, messages ...*streams.AppendReq) {
	h.Helper()
	_, trailer, err := h.appendRaw(append([]*streams.AppendReq{appendOptions(stream, anyRevision)}, messages...)...)
	if status.Code(err) != codes.InvalidArgument {
		h.Fatalf("%v, want InvalidArgument", err)
	}
	if first(trailer, "exception") != "maximum-append-size-exceeded" || first(trailer, "maximum-append-size") == "" {
		h.Errorf("trailers %v", trailer)
	}
	h.wantNoStream(stream)
}

func tooLargeEvent(h *harness) {
	h.wantTooLarge(h.stream(), message(make([]byte, maxAppend+1)))
}

func tooLargeTogether(h *harness) {
	h.wantTooLarge(h.stream(), message(make([]byte, 600<<10)), message(make([]byte, 600<<10)))
}

func tooLargeWhileSending(h *harness) {
	var messages []*streams.AppendReq
	for range 64 {
		messages = append(messages, message(make([]byte, 128<<10)))
	}
	h.wantTooLarge(h.stream(), messages...)
}

func hugeMessage(h *harness) {
	stream := h.stream()
	_, _, err := h.appendRaw(appendOptions(stream, anyRevision), message(make([]byte, 20<<20)))
	h.wantRefused(err, codes.ResourceExhausted, codes.InvalidArgument)
	h.wantNoStream(stream)
}

func silentClient(h *harness) {
	stream := h.stream()
	silent, err := h.wire.Append(authorised(h.ctx, h.config))
	if err != nil {
		h.Fatal(err)
	}
	if err := silent.Send(appendOptions(stream, anyRevision)); err != nil {
		h.Fatal(err)
	}
	if err := silent.Send(message([]byte(`{}`))); err != nil {
		h.Fatal(err)
	}
	// It neither ends its append nor gives it up; others write the same stream.
	proposed := events(3)
	h.append(stream, esdb.NoStream{}, proposed...)
	h.wantEvents(h.read(stream), proposed)
}

func manyReads(h *harness) {
	reads := 10_000
	if testing.Short() {
		reads = 1_000
	}
	var stocked [50]string
	for i := range stocked {
		stocked[i], _ = h.existing(3)
	}
	const connections = 4
	var clients [connections]streams.StreamsClient
	for i := range clients {
		conn, err := dialLeader(h.ctx, h.config)
		if err != nil {
			h.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		clients[i] = streams.NewStreamsClient(conn)
	}
	failures := make([]error, reads)
	counts := make([]int, reads)
	start := make(chan struct{})
	var done sync.WaitGroup
	for i := range reads {
		done.Go(func() {
			<-start
			answers, _, err := answersOf(authorised(h.ctx, h.config), clients[i%connections], readStreamRequest(stocked[i%len(stocked)]))
			counts[i], failures[i] = len(answers), err
		})
	}
	close(start)
	done.Wait()
	for i := range reads {
		if failures[i] != nil || counts[i] != 3 {
			h.Fatalf("read %d: %d events, %v", i, counts[i], failures[i])
		}
	}
	h.mark() // the server goes on
}
