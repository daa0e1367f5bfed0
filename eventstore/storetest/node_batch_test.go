package storetest

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"portal.example/eventstore/node"
)

// The tests of this file are about BatchAppend, and hold for the embedded node
// alone.

func TestNodeRefusesSystemStreamsInBatches(t *testing.T) {
	t.Parallel()
	n := startNode(t, node.Config{})
	app := connect(t, Server{Name: "the node's application", ConnectionString: n.ConnectionString()}).harness(t)
	b := app.batches()
	for _, system := range []string{"$" + app.stream(), "$$$" + app.stream()} {
		b.send(part(newID(), to(system, anyRevision), with(events(1)...)))
		b.wantRefusal(b.next(), codes.PermissionDenied, &shared.AccessDenied{})
		app.wantNoStream(system)
	}
	b.goesOn()
	if err := b.call.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.call.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the call ends with %v", err)
	}
	if trailer := b.call.Trailer(); first(trailer, "exception") != "" {
		t.Errorf("the call's trailers speak of one append: %v", trailer)
	}
}

func TestNodeRefusesBatchesAndConsumersToStrangers(t *testing.T) {
	t.Parallel()
	n := startNode(t, node.Config{})
	stranger := strings.Replace(n.ConnectionString(), n.Access().Password, "guess", 1)
	h := &harness{T: t, suite: dialled(t, stranger), ctx: t.Context()}
	batch, err := h.wire.BatchAppend(authorised(h.ctx, h.config))
	if err == nil {
		_, err = batch.Recv()
	}
	h.wantRefused(err, codes.Unauthenticated)
	groups := persistent.NewPersistentSubscriptionsClient(h.conn)
	read, err := groups.Read(authorised(h.ctx, h.config))
	if err == nil {
		_, err = read.Recv()
	}
	h.wantRefused(err, codes.Unauthenticated)
	_, err = groups.List(authorised(h.ctx, h.config), &persistent.ListReq{})
	h.wantRefused(err, codes.Unauthenticated)
	_, err = groups.RestartSubsystem(authorised(h.ctx, h.config), empty)
	h.wantRefused(err, codes.Unauthenticated)
}

// dialled connects without asking the server anything.
func dialled(t *testing.T, connection string) *suite {
	t.Helper()
	return connect(t, Server{Name: "a stranger's connection", ConnectionString: connection})
}

// What a client begins and does not finish is bounded in number and in bytes.
func TestNodeBoundsUnfinishedBatches(t *testing.T) {
	t.Parallel()
	h := nodeHarness(t, node.Config{})
	for what, size := range map[string]int{"many small ones": 10, "few large ones": 900 << 10} {
		b := h.batches()
		large := event("Happened", "")
		large.Data = make([]byte, size)
		var begun []*shared.UUID
		refused := 0
		for refused == 0 && len(begun) < 1000 {
			id := newID()
			b.send(part(id, to(h.stream(), noStream), with(large), unfinished))
			// An answer to a complete one tells that there is none to this one.
			b.send(part(newID(), to(h.stream(), noStream)))
			for answer := b.next(); ; answer = b.next() {
				if answer.GetSuccess() != nil {
					break
				}
				b.wantRefusal(answer, codes.ResourceExhausted, &emptypb.Empty{})
				refused++
			}
			if refused == 0 {
				begun = append(begun, id)
			}
		}
		if refused == 0 || len(begun) < 8 {
			t.Errorf("%s: %d are open", what, len(begun))
		}
		for _, id := range begun {
			b.send(part(id))
		}
		for _, answer := range b.answers(len(begun)) {
			if answer.GetSuccess() == nil {
				t.Errorf("%s: %v", what, answer)
			}
		}
	}
}

// What is on disk makes room for more: a client may send far more than a call
// holds, before it looks at any answer.
func TestNodeTakesMoreInBatchesThanCallHolds(t *testing.T) {
	t.Parallel()
	h := nodeHarness(t, node.Config{})
	b := h.batches()
	const appends = 40
	sent := make(chan error, 1)
	go func() {
		large := event("Happened", "")
		large.Data = make([]byte, 900<<10)
		for n := range appends {
			if err := b.call.Send(part(textID(correlation(n)), to("storetest-large", anyRevision), with(large))); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	for id, answer := range b.answers(appends) {
		if answer.GetSuccess() == nil {
			t.Errorf("%s: %v", id, answer)
		}
	}
}

// An answer without a correlation id would be nobody's.
func TestNodeEndsCallWithoutCorrelation(t *testing.T) {
	t.Parallel()
	h := nodeHarness(t, node.Config{})
	for _, id := range []*shared.UUID{nil, {}, textID("x"), textID(strings.Repeat("1", 1<<20))} {
		b := h.batches()
		b.send(part(newID(), to(h.stream(), noStream), with(events(1)...)),
			part(id, to(h.stream(), noStream), with(events(1)...)))
		if b.next().GetSuccess() == nil {
			t.Error("what came before is not done")
		}
		_, err := b.call.Recv()
		h.wantRefused(err, codes.InvalidArgument)
	}
	b := h.batches()
	b.send(&streams.BatchAppendReq{})
	_, err := b.call.Recv()
	h.wantRefused(err, codes.InvalidArgument)
}

func TestNodeBoundsNamesInBatches(t *testing.T) {
	t.Parallel()
	h := nodeHarness(t, node.Config{})
	b := h.batches()
	for _, stream := range []string{"", "$$", "$$$$x", strings.Repeat("x", 1<<20)} {
		b.send(part(newID(), to(stream, anyRevision), with(events(1)...)))
		b.wantRefusal(b.next(), codes.InvalidArgument, &shared.BadRequest{})
	}
	b.send(part(newID(), to(h.stream(), expectation(-7)), with(events(1)...)))
	b.wantRefusal(b.next(), codes.InvalidArgument, &shared.BadRequest{})
	b.goesOn()
}

// A client that has no more to say hears what became of everything that it
// began.
func TestNodeAnswersAllBatchesBeforeTheEnd(t *testing.T) {
	t.Parallel()
	h := nodeHarness(t, node.Config{})
	b, id := h.batches(), newID()
	b.send(part(id, to(h.stream(), noStream), with(events(1)...), unfinished),
		part(newID(), to(h.stream(), noStream), with(events(1)...)))
	if err := b.call.CloseSend(); err != nil {
		t.Fatal(err)
	}
	answers := b.answers(2)
	b.wantRefusal(answers[id.GetString_()], codes.InvalidArgument, &shared.BadRequest{})
	if answer, err := b.call.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("%v, %v", answer, err)
	}
}

// A node that stops ends calls that would go on for ever.
func TestNodeStopsBatches(t *testing.T) {
	t.Parallel()
	n := startNode(t, node.Config{})
	h := connect(t, Server{Name: "the embedded node", ConnectionString: n.AdminConnectionString()}).harness(t)
	b := h.batches()
	b.appended(part(newID(), to(h.stream(), noStream), with(events(1)...)))
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := b.call.Recv()
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "the node is stopping") {
		t.Errorf("the call ends with %v", err)
	}
}
