package storetest

import (
	"slices"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func persistentUpdate(h *harness) {
	stream, _ := h.existing(1)
	group := h.consume(stream, esdb.Start{})
	c := group.join(10)
	c.wantTried(0, 0)
	if err := h.client.UpdatePersistentSubscription(h.ctx, stream, group.group,
		esdb.PersistentStreamSubscriptionOptions{Settings: settings([]change{maxRetries(77)}), StartFrom: esdb.Start{}}); err != nil {
		h.Fatal(err)
	}
	if got := c.inner.Recv(); got.SubscriptionDropped == nil {
		h.Fatalf("%+v, want the subscription dropped", got)
	} else if status.Code(got.SubscriptionDropped.Error) != codes.Canceled {
		h.Errorf("dropped with %v", got.SubscriptionDropped.Error)
	}
	group.until("the settings are the new ones", func(i *esdb.PersistentSubscriptionInfo) bool { return i.Settings.MaxRetryCount == 77 })
	group.join(10).wantTried(0, 0)
}

func persistentDelete(h *harness) {
	stream, _ := h.existing(2)
	group := h.consume(stream, esdb.Start{}, checkpointEach)
	c := group.join(10)
	c.ack(c.take(2)...)
	group.follow("-checkpoint").next()
	if err := group.delete(); err != nil {
		h.Fatal(err)
	}
	if got := c.inner.Recv(); got.SubscriptionDropped == nil {
		h.Fatalf("%+v, want the subscription dropped", got)
	}
	h.wantCode(group.delete(), esdb.ErrorCodeResourceNotFound)
	_, err := group.tryInfo()
	h.wantCode(err, esdb.ErrorCodeResourceNotFound)
	if err := group.create(esdb.Start{}); err != nil {
		h.Fatal(err)
	}
	group.join(10).wantTried(0, 0) // not where the old one was
}

func persistentRefusals(h *harness) {
	stream, _ := h.existing(1)
	group := h.consume(stream, esdb.Start{}, func(s *esdb.PersistentSubscriptionSettings) { s.MaxSubscriberCount = 1 })
	missing := &consumers{h, stream, "group-" + uuid.NewString()}
	h.wantCode(group.create(esdb.Start{}), esdb.ErrorCodeResourceAlreadyExists)
	h.wantCode(missing.delete(), esdb.ErrorCodeResourceNotFound)
	h.wantCode(missing.replay(esdb.ReplayParkedMessagesOptions{}), esdb.ErrorCodeResourceNotFound)
	_, err := missing.tryInfo()
	h.wantCode(err, esdb.ErrorCodeResourceNotFound)
	_, err = missing.tryJoin(10)
	h.wantCode(err, esdb.ErrorCodeResourceNotFound)
	h.wantCode(h.client.UpdatePersistentSubscription(h.ctx, stream, missing.group,
		esdb.PersistentStreamSubscriptionOptions{Settings: settings(nil), StartFrom: esdb.Start{}}), esdb.ErrorCodeResourceNotFound)

	trailer, err := h.consumeRaw(joinRequest(stream, missing.group, 10))
	h.wantException(trailer, err, codes.NotFound, "persistent-subscription-does-not-exist", missing)
	// A group's own streams are named after its stream and its name, which two
	// groups must not share.
	alike := &consumers{h, stream + "::" + group.group, "x"}
	h.append(alike.stream, esdb.NoStream{}, events(1)...)
	if err := alike.create(esdb.Start{}); err != nil {
		h.Fatal(err)
	}
	h.wantCode((&consumers{h, stream, group.group + "::x"}).create(esdb.Start{}), esdb.ErrorCodeResourceAlreadyExists)

	group.join(10)
	trailer, err = h.consumeRaw(joinRequest(stream, group.group, 10))
	h.wantException(trailer, err, codes.FailedPrecondition, "maximum-subscribers-reached", group)
	trailer, err = h.createRaw(stream, group.group, func(*persistent.CreateReq_Settings) {})
	h.wantException(trailer, err, codes.AlreadyExists, "persistent-subscription-exists", group)
}

func (h *harness) wantException(trailer metadata.MD, err error, code codes.Code, exception string, group *consumers) {
	h.Helper()
	if status.Code(err) != code || first(trailer, "exception") != exception ||
		first(trailer, "stream-name") != group.stream || first(trailer, "group-name") != group.group {
		h.Errorf("%v with trailers %v, want %v and %s", err, trailer, code, exception)
	}
}

// createRaw makes a group with the Go client's own settings, but for a change.
func (h *harness) createRaw(stream, group string, change func(*persistent.CreateReq_Settings)) (metadata.MD, error) {
	s := &persistent.CreateReq_Settings{
		MaxRetryCount: 10, MinCheckpointCount: 10, MaxCheckpointCount: 1000, LiveBufferSize: 500, ReadBatchSize: 20,
		HistoryBufferSize: 500, ConsumerStrategy: "RoundRobin",
		MessageTimeout:  &persistent.CreateReq_Settings_MessageTimeoutMs{MessageTimeoutMs: 30_000},
		CheckpointAfter: &persistent.CreateReq_Settings_CheckpointAfterMs{CheckpointAfterMs: 2000},
	}
	change(s)
	var trailer metadata.MD
	_, err := persistent.NewPersistentSubscriptionsClient(h.conn).Create(authorised(h.ctx, h.config),
		&persistent.CreateReq{Options: &persistent.CreateReq_Options{
			StreamOption: &persistent.CreateReq_Options_Stream{Stream: &persistent.CreateReq_StreamOptions{
				StreamIdentifier: name(stream), RevisionOption: &persistent.CreateReq_StreamOptions_Start{Start: empty},
			}},
			GroupName: group, Settings: s,
		}}, grpc.Trailer(&trailer))
	return trailer, err
}

func persistentSettings(h *harness) {
	stream, _ := h.existing(1)
	group := &consumers{h, stream, "group-" + uuid.NewString()}
	for what, change := range map[string]func(*persistent.CreateReq_Settings){
		"a strategy that nobody knows":        func(s *persistent.CreateReq_Settings) { s.ConsumerStrategy = "Whatever" },
		"a batch that the buffer cannot hold": func(s *persistent.CreateReq_Settings) { s.ReadBatchSize = s.GetHistoryBufferSize() },
	} {
		trailer, err := h.createRaw(stream, group.group, change)
		h.Log(what)
		h.wantException(trailer, err, codes.Internal, "persistent-subscription-failed", group)
	}
	if _, err := h.createRaw(stream, group.group, func(s *persistent.CreateReq_Settings) { s.ConsumerStrategy = "PinnedByCorrelation" }); err != nil {
		h.Fatal(err)
	}
	group.join(10).wantTried(0, 0)
	h.wantCode(group.replay(esdb.ReplayParkedMessagesOptions{StopAt: -1}), esdb.ErrorCodeUnknown)
}

func persistentBadInput(h *harness) {
	stream, _ := h.existing(1)
	group := h.consume(stream, esdb.Start{})
	for what, requests := range map[string][]*persistent.ReadReq{
		"an answer before the options": {{Content: &persistent.ReadReq_Ack_{Ack: &persistent.ReadReq_Ack{}}}},
		"nothing":                      {{}},
		"neither a stream nor $all":    {{Content: &persistent.ReadReq_Options_{Options: &persistent.ReadReq_Options{GroupName: group.group, BufferSize: 1}}}},
		"no room for an event":         {joinRequest(stream, group.group, 0)},
	} {
		_, err := h.consumeRaw(requests...)
		h.Log(what)
		h.wantRefused(err, badRequest...)
	}
	group.join(10).wantTried(0, 0)
}

func persistentInfo(h *harness) {
	stream, _ := h.existing(12)
	group := h.consume(stream, esdb.Revision(2), maxRetries(3), timeout(7*time.Second))
	c := group.join(4)
	got := c.take(4)
	c.ack(got...)
	group.until("it is as it should be", func(i *esdb.PersistentSubscriptionInfo) bool {
		return i.Stats.TotalItems == 8 && i.Stats.TotalInFlightMessages == 4 && i.Stats.OutstandingMessagesCount == 4
	})
	info, err := group.tryInfo()
	if err != nil {
		h.Fatal(err)
	}
	if info.EventSource != stream || info.GroupName != group.group {
		h.Errorf("of %s: %s", info.EventSource, info.GroupName)
	}
	want := settings([]change{maxRetries(3), timeout(7 * time.Second)})
	want.StartFrom = esdb.Revision(2)
	if diff := cmp.Diff(want, info.Settings); diff != "" {
		h.Errorf("settings (-want +got):\n%s", diff)
	}
	if len(info.Connections) != 1 || info.Connections[0].InFlightMessages != 4 || info.Connections[0].TotalItemsProcessed != 8 {
		h.Errorf("connections %+v", info.Connections)
	}
	if last := info.Stats.LastKnownEventRevision; last == nil || *last != 11 {
		h.Errorf("last known event: %v", last)
	}
}

func persistentList(h *harness) {
	stream, _ := h.existing(1)
	of, ofAll := h.consume(stream, esdb.Start{}), h.consumeAll(esdb.End{}, nil)
	options := esdb.ListPersistentSubscriptionsOptions{}
	every, err := h.client.ListAllPersistentSubscriptions(h.ctx, options)
	if err != nil {
		h.Fatal(err)
	}
	ofStream, err := h.client.ListPersistentSubscriptionsForStream(h.ctx, stream, options)
	if err != nil {
		h.Fatal(err)
	}
	ofLog, err := h.client.ListPersistentSubscriptionsToAll(h.ctx, options)
	if err != nil {
		h.Fatal(err)
	}
	for _, tt := range []struct {
		what   string
		list   []esdb.PersistentSubscriptionInfo
		of, in bool
	}{{"all", every, true, true}, {"the stream's", ofStream, true, false}, {"those of $all", ofLog, false, true}} {
		has := func(c *consumers) bool {
			return slices.ContainsFunc(tt.list, func(i esdb.PersistentSubscriptionInfo) bool {
				return i.EventSource == c.stream && i.GroupName == c.group
			})
		}
		if has(of) != tt.of || has(ofAll) != tt.in {
			h.Errorf("%s: the stream's group is there: %v, that of $all: %v", tt.what, has(of), has(ofAll))
		}
	}
	_, err = h.client.ListPersistentSubscriptionsForStream(h.ctx, h.stream(), options)
	h.wantCode(err, esdb.ErrorCodeResourceNotFound)
}
