package node

import (
	"context"
	"slices"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"

	"portal.example/eventstore/node/group"
)

// GetInfo tells how a group is set and how it does.
func (s *persistentService) GetInfo(ctx context.Context, req *persistent.GetInfoReq) (*persistent.GetInfoResp, error) {
	o := req.GetOptions()
	key, err := keyOf(o.GetStreamIdentifier(), o.GetAll() != nil, o.GetGroupName())
	if err != nil {
		return nil, fail(ctx, err)
	}
	g, err := s.await(ctx, key)
	if err != nil {
		return nil, fail(ctx, err)
	}
	info, err := g.info(ctx)
	if err != nil {
		return nil, fail(ctx, err)
	}
	return &persistent.GetInfoResp{SubscriptionInfo: info}, nil
}

// List tells about all groups, or those of a stream or of $all.
func (s *persistentService) List(ctx context.Context, req *persistent.ListReq) (*persistent.ListResp, error) {
	all, stream := false, ""
	switch o := req.GetOptions().GetListOption().(type) {
	case *persistent.ListReq_Options_ListAllSubscriptions:
		all = true
	case *persistent.ListReq_Options_ListForStream:
		stream = string(o.ListForStream.GetStream().GetStreamName())
		if o.ListForStream.GetAll() != nil {
			stream = allStream
		}
	default:
		return nil, invalid("list of persistent subscriptions: neither all of them nor those of a stream")
	}
	release, err := s.settled(ctx)
	if err != nil {
		return nil, fail(ctx, err)
	}
	defer release()
	if _, err := s.find(groupKey{stream: stream}); !isNoGroup(err) {
		return nil, fail(ctx, err) // no group has an empty name; there is another reason not to answer
	}
	groups := s.all()
	slices.SortFunc(groups, func(a, b *consumerGroup) int { return strings.Compare(a.key.String(), b.key.String()) })
	answer := &persistent.ListResp{}
	for _, g := range groups {
		if !all && g.key.stream != stream {
			continue
		}
		info, err := g.info(ctx)
		if err != nil {
			return nil, fail(ctx, err)
		}
		answer.Subscriptions = append(answer.Subscriptions, info)
	}
	if !all && len(answer.GetSubscriptions()) == 0 {
		return nil, fail(ctx, noGroup(groupKey{stream: stream}))
	}
	return answer, nil
}

func (g *consumerGroup) info(ctx context.Context) (*persistent.SubscriptionInfo, error) {
	var info *persistent.SubscriptionInfo
	if err := g.ask(ctx, func() { info = g.describe(g.group.Stats(g.now())) }); err != nil {
		return nil, err // and the question may still be answered, to nobody
	}
	return info, nil
}

func (g *consumerGroup) describe(s group.Stats) *persistent.SubscriptionInfo {
	e := g.stored
	info := &persistent.SubscriptionInfo{
		EventSource:                   e.Stream,
		GroupName:                     e.Group,
		Status:                        g.status(),
		AveragePerSecond:              int32(s.PerSecond),
		TotalItems:                    s.Total,
		CountSinceLastMeasurement:     s.SinceLast,
		LastCheckpointedEventPosition: markText(e.Stream, s.Checkpoint),
		LastKnownEventPosition:        markText(e.Stream, s.LastKnown),
		ResolveLinkTos:                e.ResolveLinks,
		StartFrom:                     e.StartPosition,
		MessageTimeoutMilliseconds:    int32(e.MessageTimeout),
		ExtraStatistics:               e.ExtraStatistics,
		MaxRetryCount:                 int32(e.MaxRetries),
		LiveBufferSize:                int32(e.LiveBuffer),
		BufferSize:                    int32(e.HistoryBuffer),
		ReadBatchSize:                 int32(e.ReadBatch),
		CheckPointAfterMilliseconds:   int32(e.CheckpointAfter),
		MinCheckPointCount:            int32(e.MinCheckpoint),
		MaxCheckPointCount:            int32(e.MaxCheckpoint),
		ReadBufferCount:               int32(s.Waiting),
		RetryBufferCount:              int32(s.Retrying),
		TotalInFlightMessages:         int32(s.InFlight),
		OutstandingMessagesCount:      int32(s.Outstanding),
		NamedConsumerStrategy:         string(e.Strategy),
		MaxSubscriberCount:            int32(e.MaxConsumers),
		ParkedMessageCount:            int64(g.parked.count()),
	}
	subscribers := map[*group.Consumer]*subscriber{}
	for sub := range g.subscribers {
		subscribers[sub.consumer] = sub
	}
	for _, c := range s.Consumers {
		connection := &persistent.SubscriptionInfo_ConnectionInfo{
			AverageItemsPerSecond:     int32(c.PerSecond),
			TotalItems:                c.Total,
			CountSinceLastMeasurement: c.SinceLast,
			AvailableSlots:            int32(c.Free),
			InFlightMessages:          int32(c.InFlight),
		}
		if sub := subscribers[c.Consumer]; sub != nil {
			connection.Username, connection.ConnectionName = sub.user, sub.name
		}
		for _, m := range c.Measured {
			connection.ObservedMeasurements = append(connection.ObservedMeasurements,
				&persistent.SubscriptionInfo_Measurement{Key: m.Name, Value: m.Value})
		}
		info.Connections = append(info.Connections, connection)
	}
	return info
}

func (g *consumerGroup) status() string {
	status := "Behind"
	if g.feed.live() {
		status = "Live"
	}
	if g.parked.replaying() {
		status += ", ReplayingParkedMessages"
	}
	return status
}

func markText(stream string, m group.Mark) string {
	if !m.Known {
		return ""
	}
	return placeText(stream, m.Place)
}
