package storetest

import (
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc/codes"

	"portal.example/eventstore/node"
)

// The tests of this file are about the embedded node's persistent subscriptions
// where these bound what a client does, or keep what EventStoreDB may lose.

// Whatever a consumer gives as its reasons, events are parked.
func TestNodeParksManyWithLongReasons(t *testing.T) {
	t.Parallel()
	h := nodeHarness(t, node.Config{})
	const n = 200
	stream, _ := h.existing(n)
	group := h.consume(stream, esdb.Start{}, checkpointEach)
	c := group.join(n)
	if err := c.inner.Nack(strings.Repeat("\x01", 1<<20), esdb.NackActionPark, c.take(n)...); err != nil {
		t.Fatal(err)
	}
	group.until("all are parked", func(i *esdb.PersistentSubscriptionInfo) bool {
		return i.Stats.ParkedMessagesCount == n && i.Stats.OutstandingMessagesCount == 0
	})
	links := h.read(group.own("-parked"))
	for _, link := range links {
		if len(link.Event.UserMetadata) > 200<<10 {
			t.Fatalf("the reason takes %d bytes", len(link.Event.UserMetadata))
		}
	}
	if len(links) != n {
		t.Errorf("%d links to %d events", len(links), n)
	}
}

// An event that cannot be parked is neither lost nor thrown at the consumers
// again and again, and its group can be deleted all the same.
func TestNodeKeepsWhatCannotBeParked(t *testing.T) {
	t.Parallel()
	h := nodeHarness(t, node.Config{})
	stream, _ := h.existing(2)
	group := h.consume(stream, esdb.Start{}, checkpointEach)
	h.tombstone(group.own("-parked"), esdb.Any{})
	c := group.join(1)
	c.nack(esdb.NackActionPark, c.wantTried(0, 0))
	c.ack(c.wantTried(1, 0))
	for n := range uint64(20) {
		h.append(stream, esdb.Any{}, events(1)...)
		c.ack(c.wantTried(2+n, 0))
	}
	group.until("the one is kept", func(i *esdb.PersistentSubscriptionInfo) bool { return i.Stats.OutstandingMessagesCount == 1 })
	if err := c.inner.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h.client.RestartPersistentSubscriptionSubsystem(h.ctx, esdb.RestartPersistentSubscriptionSubsystemOptions{}); err != nil {
		t.Fatal(err)
	}
	group.join(1).wantTried(0, 0)
	if err := group.delete(); err != nil {
		t.Fatal(err)
	}
}

func TestNodeRefusesSenselessAnswersOfConsumers(t *testing.T) {
	t.Parallel()
	h := nodeHarness(t, node.Config{})
	stream, _ := h.existing(1)
	group := h.consume(stream, esdb.Start{})
	many := make([]*shared.UUID, 10_000)
	for i := range many {
		many[i] = newID()
	}
	for what, answer := range map[string]*persistent.ReadReq{
		"an action that there is not": {Content: &persistent.ReadReq_Nack_{Nack: &persistent.ReadReq_Nack{Action: 17}}},
		"ids without end":             {Content: &persistent.ReadReq_Ack_{Ack: &persistent.ReadReq_Ack{Ids: many}}},
		"no id":                       {Content: &persistent.ReadReq_Ack_{Ack: &persistent.ReadReq_Ack{Ids: []*shared.UUID{{}}}}},
	} {
		_, err := h.consumeRaw(joinRequest(stream, group.group, 1), answer)
		t.Log(what)
		h.wantRefused(err, codes.InvalidArgument)
	}
	h.goesOn()
}

// The streams in which a group leaves its state can be read, however long its
// name is.
func TestNodeBoundsGroupNames(t *testing.T) {
	t.Parallel()
	h := nodeHarness(t, node.Config{})
	stream, _ := h.existing(1)
	longest := 0
	for _, length := range []int{2048, 2048 - len(stream) - len("::") - 64} {
		group := &consumers{h, stream, strings.Repeat("g", length)}
		_, err := h.createRaw(stream, group.group, func(s *persistent.CreateReq_Settings) { s.MaxCheckpointCount = 1 })
		if err != nil {
			h.wantRefused(err, codes.InvalidArgument)
			continue
		}
		longest = length
		c := group.join(1)
		c.nack(esdb.NackActionPark, c.wantTried(0, 0))
		group.follow("-parked").next()
		group.follow("-checkpoint").next()
		h.wantRefused(h.opened(readStreamRequest("$$"+group.own("-checkpoint"))), codes.OK)
	}
	if longest == 0 {
		t.Error("no name will do")
	}
}
