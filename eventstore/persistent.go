package eventstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Group names a persistent subscription: consumers among which the log shares
// out events, each to one of them and again until it is acknowledged. It is for
// side effects: an event may come more than once, and in any order.
type Group struct {
	Stream string // whose events; empty for the whole log
	Name   string // unlike that of any other group of the stream, or of the whole log
}

// ParkedStream is the stream of links to the events that the group has parked.
func (g Group) ParkedStream() string {
	stream := g.Stream
	if stream == "" {
		stream = "$all"
	}
	return "$persistentsubscription-" + stream + "::" + g.Name + "-parked"
}

// The kinds of failure that only groups have.
var (
	// ErrGroupNotFound: nobody has created the group, or somebody has deleted it.
	ErrGroupNotFound = errors.New("group not found")
	// ErrGroupExists: a group of that name is there already, maybe with other settings.
	ErrGroupExists = errors.New("group exists")
)

// errGroupFull: the group has as many consumers as it may have. One may leave.
var errGroupFull = errors.New("group has as many consumers as it may have")

// ConsumerStrategy is how a group chooses the consumer for an event.
type ConsumerStrategy string

// The strategies. The strings are EventStoreDB's.
const (
	RoundRobin       ConsumerStrategy = "RoundRobin"       // by turns
	DispatchToSingle ConsumerStrategy = "DispatchToSingle" // the first one, while it takes more
	Pinned           ConsumerStrategy = "Pinned"           // a stream's events to the same one, mostly
)

// GroupSettings are what a group is created with. Zero values are replaced by
// the defaults that are named.
type GroupSettings struct {
	// FromStart begins with the oldest event. Otherwise the group begins with
	// what is appended after it was created.
	FromStart bool
	// Filter chooses the events of a group of the whole log.
	Filter Filter
	// ResolveLinks delivers what links lead to instead of the links.
	ResolveLinks bool
	// Strategy is RoundRobin by default.
	Strategy ConsumerStrategy

	// MessageTimeout is how long a consumer may take for an event before that is
	// tried again, 30 s by default.
	MessageTimeout time.Duration
	// MaxRetries is how often an event is tried again before it is parked, 10
	// by default; none when negative.
	MaxRetries int
	// MaxConsumers bounds the consumers at a time; any number by default.
	MaxConsumers int
	// Buffer is how many events the log keeps ready for the group, 500 by default.
	Buffer int

	// The log writes down where the group is after MaxCheckpoint events (1000),
	// and after MinCheckpoint events (10) once CheckpointAfter (2 s) has passed.
	// What was done since then is delivered again after a crash of the log.
	CheckpointAfter              time.Duration
	MinCheckpoint, MaxCheckpoint int
}

// CreateGroup makes a group. Where there is one of that name it fails with
// ErrGroupExists and leaves that as it is. A lost connection is answered by
// another try, whose ErrGroupExists may then be about the group of the first.
func (c *Client) CreateGroup(ctx context.Context, group Group, settings GroupSettings) error {
	op := group.operation("create")
	wire, err := settings.wire()
	if err = errors.Join(err, group.check(), settings.Filter.check()); err != nil {
		return op.fail(ErrInvalid, err)
	}
	if group.Stream != "" && settings.Filter.chosen {
		return op.fail(ErrInvalid, errors.New("a stream's group has no filter"))
	}
	return c.askGroup(ctx, op, func(ctx context.Context, db *esdb.Client) error {
		if group.Stream != "" {
			options := esdb.PersistentStreamSubscriptionOptions{Settings: &wire, StartFrom: esdb.End{}}
			if settings.FromStart {
				options.StartFrom = esdb.Start{}
			}
			return db.CreatePersistentSubscription(ctx, group.Stream, group.Name, options)
		}
		options := esdb.PersistentAllSubscriptionOptions{Settings: &wire, StartFrom: esdb.End{}}
		if settings.FromStart {
			options.StartFrom = esdb.Start{}
		}
		if filter := settings.Filter; filter.chosen {
			options.Filter = &esdb.SubscriptionFilter{Type: filter.by, Prefixes: filter.prefixes, Regex: filter.expression}
			options.MaxSearchWindow = searchWindow
		}
		return db.CreatePersistentSubscriptionToAll(ctx, group.Name, options)
	})
}

// DeleteGroup ends a group, and forgets where it was and what it had parked.
func (c *Client) DeleteGroup(ctx context.Context, group Group) error {
	op := group.operation("delete")
	if err := group.check(); err != nil {
		return op.fail(ErrInvalid, err)
	}
	return c.askGroup(ctx, op, func(ctx context.Context, db *esdb.Client) error {
		if group.Stream != "" {
			return db.DeletePersistentSubscription(ctx, group.Stream, group.Name, esdb.DeletePersistentSubscriptionOptions{})
		}
		return db.DeletePersistentSubscriptionToAll(ctx, group.Name, esdb.DeletePersistentSubscriptionOptions{})
	})
}

// ReplayParked has the group try everything again that it has parked up to now.
func (c *Client) ReplayParked(ctx context.Context, group Group) error {
	op := group.operation("replay what was parked by")
	if err := group.check(); err != nil {
		return op.fail(ErrInvalid, err)
	}
	return c.replayParked(ctx, group, op, esdb.ReplayParkedMessagesOptions{})
}

func (c *Client) replayParked(ctx context.Context, group Group, op operation, options esdb.ReplayParkedMessagesOptions) error {
	return c.askGroup(ctx, op, func(ctx context.Context, db *esdb.Client) error {
		if group.Stream != "" {
			return db.ReplayParkedMessages(ctx, group.Stream, group.Name, options)
		}
		return db.ReplayParkedMessagesToAll(ctx, group.Name, options)
	})
}

// GroupInfo is how a group is doing.
type GroupInfo struct {
	Consumers int
	InFlight  int64 // events in consumers' hands
	Retrying  int64 // events that wait for another try
	Waiting   int64 // events read that nobody has had
	Parked    int64
	// Done is up to where everything is done in a group of the whole log, as it was
	// last written down; Start where it was not yet.
	Done Position
}

// InspectGroup tells how a group is doing.
func (c *Client) InspectGroup(ctx context.Context, group Group) (GroupInfo, error) {
	op := group.operation("inspect")
	if err := group.check(); err != nil {
		return GroupInfo{}, op.fail(ErrInvalid, err)
	}
	return call(ctx, c, op, func(ctx context.Context, db *esdb.Client) (info GroupInfo, err error) {
		var told *esdb.PersistentSubscriptionInfo
		if group.Stream != "" {
			told, err = db.GetPersistentSubscriptionInfo(ctx, group.Stream, group.Name, esdb.GetPersistentSubscriptionOptions{})
		} else {
			told, err = db.GetPersistentSubscriptionInfoToAll(ctx, group.Name, esdb.GetPersistentSubscriptionOptions{})
		}
		if err != nil {
			return info, groupProblem(err)
		}
		info.Consumers = len(told.Connections)
		if told.Stats != nil {
			info.InFlight, info.Retrying = told.Stats.TotalInFlightMessages, told.Stats.RetryBufferCount
			info.Waiting, info.Parked = told.Stats.ReadBufferCount, told.Stats.ParkedMessagesCount
			if done := told.Stats.LastCheckpointedPosition; done != nil {
				info.Done = Position{Commit: done.Commit, Prepare: done.Prepare}
			}
		}
		return info, nil
	})
}

func (c *Client) askGroup(ctx context.Context, op operation, do func(context.Context, *esdb.Client) error) error {
	_, err := call(ctx, c, op, func(ctx context.Context, db *esdb.Client) (none struct{}, err error) {
		return none, groupProblem(do(ctx, db))
	})
	return err
}

// groupProblem tells the failures of groups from those of streams, which the
// esdb client does not.
func groupProblem(err error) error {
	switch status.Code(err) {
	case codes.NotFound:
		return ErrGroupNotFound
	case codes.AlreadyExists:
		return ErrGroupExists
	default:
		return err
	}
}

func (g Group) operation(what string) operation {
	what += " group " + strconv.Quote(g.Name)
	if g.Stream == "" {
		return operation{name: what + " of the log"}
	}
	return operation{what + " of", g.Stream}
}

func (g Group) check() error {
	if g.Name == "" {
		return errors.New("the group has no name")
	}
	return nil
}

// wire is the settings as the esdb client has them.
func (s GroupSettings) wire() (esdb.PersistentSubscriptionSettings, error) {
	wire := esdb.SubscriptionSettingsDefault()
	wire.ResolveLinkTos = s.ResolveLinks
	wire.ConsumerStrategyName = esdb.ConsumerStrategy(cmp.Or(s.Strategy, RoundRobin))
	buffer := cmp.Or(s.Buffer, 500)
	for _, setting := range []struct {
		name  string
		value int64
		least int64
		to    *int32
	}{
		{"MessageTimeout in ms", cmp.Or(s.MessageTimeout, 30*time.Second).Milliseconds(), 1, &wire.MessageTimeout},
		{"MaxRetries", int64(max(cmp.Or(s.MaxRetries, 10), 0)), 0, &wire.MaxRetryCount},
		{"MaxConsumers", int64(s.MaxConsumers), 0, &wire.MaxSubscriberCount},
		{"Buffer", int64(buffer), 10, &wire.HistoryBufferSize},
		{"Buffer", int64(buffer), 10, &wire.LiveBufferSize},
		{"a quarter of Buffer", int64(buffer / 4), 1, &wire.ReadBatchSize},
		{"CheckpointAfter in ms", cmp.Or(s.CheckpointAfter, 2*time.Second).Milliseconds(), 1, &wire.CheckpointAfter},
		{"MinCheckpoint", int64(cmp.Or(s.MinCheckpoint, 10)), 1, &wire.CheckpointLowerBound},
		{"MaxCheckpoint", int64(cmp.Or(s.MaxCheckpoint, 1000)), 1, &wire.CheckpointUpperBound},
	} {
		if setting.value < setting.least || setting.value > math.MaxInt32 {
			return wire, fmt.Errorf("%s: %d is not between %d and %d",
				setting.name, setting.value, setting.least, math.MaxInt32)
		}
		*setting.to = int32(setting.value)
	}
	return wire, nil
}
