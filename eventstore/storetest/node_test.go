package storetest

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"portal.example/eventstore/node"
)

// The tests of this file hold for the embedded node alone: they are about its
// policies, or promise more than EventStoreDB does.

func nodeHarness(t *testing.T, config node.Config) *harness {
	t.Helper()
	n := startNode(t, config)
	return connect(t, Server{Name: "the embedded node", ConnectionString: n.AdminConnectionString()}).harness(t)
}

// The application's account reads everything and writes to ordinary streams;
// refusals carry the trailer that clients know them by.
func TestNodeRefusesSystemStreamsToTheApplication(t *testing.T) {
	t.Parallel()
	n := startNode(t, node.Config{})
	admin := connect(t, Server{Name: "the node's administrator", ConnectionString: n.AdminConnectionString()}).harness(t)
	app := connect(t, Server{Name: "the node's application", ConnectionString: n.ConnectionString()}).harness(t)

	system := "$" + app.stream()
	_, trailer, err := app.appendRaw(appendOptions(system, anyRevision), message([]byte(`{}`)))
	if status.Code(err) != codes.PermissionDenied || first(trailer, "exception") != "access-denied" {
		t.Errorf("append to %s: %v with trailers %v", system, err, trailer)
	}
	proposed := events(2)
	admin.append(system, esdb.NoStream{}, proposed...)
	_, trailer, err = app.deleteRaw(system, anyRevision)
	if status.Code(err) != codes.PermissionDenied || first(trailer, "exception") != "access-denied" {
		t.Errorf("delete of %s: %v with trailers %v", system, err, trailer)
	}
	_, trailer, err = app.tombstoneRaw(system, anyRevision)
	if status.Code(err) != codes.PermissionDenied || first(trailer, "exception") != "access-denied" {
		t.Errorf("tombstone of %s: %v with trailers %v", system, err, trailer)
	}
	app.wantEvents(app.read(system), proposed)
	stream, _ := app.existing(2)
	app.setMetadata(stream, `{"$maxCount":1}`)
	app.wantRevisions(app.read(stream), 1)
}

// A client that opens an append and goes silent is let go after a time.
func TestNodeLetsSilentClientGo(t *testing.T) {
	t.Parallel()
	h := nodeHarness(t, node.Config{AppendTimeout: 100 * time.Millisecond})
	for _, sent := range [][]*streams.AppendReq{
		{},
		{appendOptions(h.stream(), anyRevision)},
		{appendOptions(h.stream(), anyRevision), message([]byte(`{}`))},
	} {
		silent, err := h.wire.Append(authorised(h.ctx, h.config))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range sent {
			if err := silent.Send(m); errors.Is(err, io.EOF) {
				break // this machine was slower than the node's patience; RecvMsg says how it ended
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if err := silent.RecvMsg(&streams.AppendResp{}); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("after %d messages and silence: %v, want DeadlineExceeded", len(sent), err)
		}
	}
	h.goesOn()
}

// EventStoreDB lets a repeat that comes too soon run into a timeout; the node
// answers every one.
func TestNodeAnswersConcurrentRepeatsAlike(t *testing.T) {
	t.Parallel()
	h := nodeHarness(t, node.Config{})
	for _, expected := range []esdb.ExpectedRevision{esdb.NoStream{}, esdb.Any{}} {
		stream, proposed := h.stream(), events(3)
		var answers [writers]*esdb.WriteResult
		var failures [writers]error
		together(func(w int) { answers[w], failures[w] = h.tryAppend(stream, expected, proposed...) })
		for w := range writers {
			if failures[w] != nil {
				t.Fatalf("writer %d: %v", w, failures[w])
			}
			h.wantSame(answers[0], answers[w])
		}
		h.wantEvents(h.read(stream), proposed)
	}
}

// gRPC metadata is ASCII, and the client panics where the stream's name is
// missing from the trailers.
func TestNodeNamesTombstonedStreamWithAnyName(t *testing.T) {
	t.Parallel()
	h := nodeHarness(t, node.Config{})
	for _, part := range []string{"请求", "🏡", " spaces ", "line\nbreak", "\x01\x7f", "%41"} {
		stream := h.stream() + part
		h.append(stream, esdb.NoStream{}, events(1)...)
		h.tombstone(stream, esdb.Any{})
		h.wantDeleted(stream)
		_, err := h.tryAppend(stream, esdb.Any{}, events(1)...)
		h.wantCode(err, esdb.ErrorCodeStreamDeleted)
	}
}

func TestNodeBoundsNames(t *testing.T) {
	t.Parallel()
	h := nodeHarness(t, node.Config{})
	for _, stream := range []string{strings.Repeat("x", 1<<20), "$$", "$$$$" + h.stream()} {
		_, _, err := h.appendRaw(appendOptions(stream, anyRevision), message([]byte(`{}`)))
		h.wantRefused(err, codes.InvalidArgument)
		h.wantRefused(h.opened(readStreamRequest(stream)), codes.InvalidArgument)
	}
	stream := h.stream()
	_, _, err := h.appendRaw(appendOptions(stream, anyRevision), message([]byte(`{}`), withMetadata("type", strings.Repeat("T", 1<<20))))
	h.wantRefused(err, codes.InvalidArgument)
	h.wantNoStream(stream)
	h.wantRefused(h.opened(readAllRequest(onType(pattern(strings.Repeat("x", 1<<20))))), codes.InvalidArgument)
	h.goesOn()
}

// A client that looks for a cluster finds the node.
func TestNodeIsFoundByGossip(t *testing.T) {
	t.Parallel()
	n := startNode(t, node.Config{})
	discover := strings.Replace(n.AdminConnectionString(), "esdb://", "esdb+discover://", 1)
	h := connect(t, Server{Name: "the embedded node, by gossip", ConnectionString: discover}).harness(t)
	h.goesOn()
}

// Many subscribers that wait cost the node little, and one of them that is
// concerned hears at once.
func TestNodeServesManySubscribers(t *testing.T) {
	t.Parallel()
	subscribers := 10_000
	if testing.Short() {
		subscribers = 1_000
	}
	h := nodeHarness(t, node.Config{Insecure: true})
	ctx, cancel := context.WithCancel(h.ctx)
	names := make([]string, subscribers)
	heard := make([]chan error, subscribers)
	var live, ended sync.WaitGroup
	for i := range subscribers {
		names[i], heard[i] = h.stream(), make(chan error, 1)
		live.Add(1)
		ended.Go(func() { heard[i] <- h.awaitEvent(ctx, names[i], live.Done) })
	}
	live.Wait()
	for i := 0; i < subscribers; i += subscribers / 20 {
		h.append(names[i], esdb.NoStream{}, events(1)...)
		if err := <-heard[i]; err != nil {
			t.Errorf("subscriber %d: %v", i, err)
		}
	}
	cancel()
	ended.Wait()
	h.goesOn()
}

// awaitEvent subscribes to a stream, says when it has caught up or failed, and
// returns when an event has come.
func (h *harness) awaitEvent(ctx context.Context, stream string, caughtUp func()) error {
	once := sync.OnceFunc(caughtUp)
	defer once()
	call, err := h.wire.Read(ctx, readStreamRequest(stream, subscribed))
	for err == nil {
		var answer *streams.ReadResp
		switch answer, err = call.Recv(); {
		case err != nil:
		case answer.GetCaughtUp() != nil:
			once()
		case answer.GetEvent() != nil:
			return nil
		}
	}
	return err
}

// Consumers hear of a restart, and groups are there again afterwards.
func TestNodeRestartsPersistentSubscriptions(t *testing.T) {
	t.Parallel()
	h := nodeHarness(t, node.Config{})
	stream, _ := h.existing(2)
	group := h.consume(stream, esdb.Start{}, maxRetries(5))
	c := group.join(1)
	c.ack(c.wantTried(0, 0))
	c.wantTried(1, 0)
	if err := h.client.RestartPersistentSubscriptionSubsystem(h.ctx, esdb.RestartPersistentSubscriptionSubsystemOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := c.inner.Recv(); got.SubscriptionDropped == nil {
		t.Fatalf("%+v, want the subscription dropped", got)
	}
	group.until("the settings are there", func(i *esdb.PersistentSubscriptionInfo) bool { return i.Settings.MaxRetryCount == 5 })
	group.join(1).wantTried(1, 0) // a checkpoint is written in parting
}

// A subscriber that stops a subscription by its answer is let go, and what it
// had goes to others. EventStoreDB takes the event for done.
func TestNodeStopsSubscriberThatSaysSo(t *testing.T) {
	t.Parallel()
	h := nodeHarness(t, node.Config{})
	stream, _ := h.existing(1)
	group := h.consume(stream, esdb.Start{})
	c := group.join(1)
	c.nack(esdb.NackActionStop, c.wantTried(0, 0))
	if got := c.inner.Recv(); got.SubscriptionDropped == nil {
		t.Fatalf("%+v, want the subscription dropped", got)
	}
	group.join(1).wantTried(0, 1)
}

// What a group of $all writes down about itself is no reason for it to write
// again.
func TestNodeGroupOfAllComesToRest(t *testing.T) {
	t.Parallel()
	h := nodeHarness(t, node.Config{})
	group := h.consumeAll(esdb.Start{}, nil, checkpointEach)
	h.existing(1)
	c := group.join(10)
	for {
		e := c.next().Event
		if strings.HasPrefix(e.Event.StreamID, "$persistentsubscription-$all::") {
			t.Fatalf("an event of %s", e.Event.StreamID)
		}
		c.ack(e)
		if e.Event.StreamID == "$$"+group.own("-checkpoint") {
			break // the last that the group writes, but for checkpoints
		}
	}
	marked := h.mark()
	c.ack(c.take(1)...)
	group.until("it has come to the end", func(i *esdb.PersistentSubscriptionInfo) bool {
		return i.Stats.LastCheckpointedPosition != nil && *i.Stats.LastCheckpointedPosition == marked
	})
	checkpoints := 0
	for _, e := range h.readAll(esdb.ReadAllOptions{From: marked}, everything) {
		if e.Event.StreamID == group.own("-checkpoint") {
			checkpoints++
		}
	}
	if checkpoints > 2 {
		t.Errorf("%d checkpoints after one event", checkpoints)
	}
}

// The application's account makes and uses groups, as the operators' does with
// EventStoreDB; what they leave in system streams the node writes itself.
func TestNodeLetsTheApplicationConsume(t *testing.T) {
	t.Parallel()
	n := startNode(t, node.Config{})
	app := connect(t, Server{Name: "the node's application", ConnectionString: n.ConnectionString()}).harness(t)
	stream, _ := app.existing(1)
	group := app.consume(stream, esdb.Start{})
	c := group.join(1)
	c.nack(esdb.NackActionPark, c.wantTried(0, 0))
	group.follow("-parked").next()
	if err := group.delete(); err != nil {
		t.Fatal(err)
	}
}
