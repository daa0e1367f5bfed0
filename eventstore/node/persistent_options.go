package node

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"portal.example/eventstore/node/group"
)

// This file reads what clients ask for. Create and Update say the same in
// different messages.

// maxKeyBytes leaves room for what the names of a group's own streams add.
const maxKeyBytes = maxNameBytes - 64

// keyOf names the group that a request is about.
func keyOf(stream *shared.StreamIdentifier, all bool, name string) (groupKey, error) {
	key := groupKey{stream: allStream, name: name}
	if !all {
		var err error
		if key.stream, err = streamName(stream); err != nil {
			return groupKey{}, err
		}
	}
	switch {
	case !all && key.stream == allStream:
		return groupKey{}, groupFailed(key, "a subscription to $all is asked for by its own option.")
	case name == "":
		return groupKey{}, invalid("group name: must not be empty")
	case len(key.String()) > maxKeyBytes:
		return groupKey{}, invalid("group name: %d bytes with the stream's name, %d at most", len(key.String()), maxKeyBytes)
	case !utf8.ValidString(key.stream):
		return groupKey{}, invalid("stream name: must be UTF-8 for a persistent subscription")
	}
	return key, nil
}

// startPoint is where a group is to begin: at an event, that one included, or
// after the last one as of now.
type startPoint struct {
	end             bool
	place           uint64
	commit, prepare uint64 // the place in $all as the client said it
}

// text is a start as EventStoreDB writes it.
func (p startPoint) text(stream string) string {
	switch {
	case stream == allStream && p.end:
		return "C:-1/P:-1"
	case stream == allStream:
		return fmt.Sprintf("C:%d/P:%d", p.commit, p.prepare)
	case p.end:
		return "-1"
	}
	return placeText(stream, p.place)
}

// placeText is a place in a stream or in $all as EventStoreDB writes it.
func placeText(stream string, place uint64) string {
	if stream == allStream {
		return fmt.Sprintf("C:%d/P:%d", place, place)
	}
	return fmt.Sprint(place)
}

func parsePlace(stream, text string) (place uint64, err error) {
	format := "%d"
	if stream == allStream {
		format = "C:%d/"
	}
	_, err = fmt.Sscanf(text, format, &place)
	return place, err
}

func createdGroup(o *persistent.CreateReq_Options) (storedGroup, startPoint, error) {
	var (
		at     startPoint
		filter *storedFilter
		stream = o.GetStream().GetStreamIdentifier()
	)
	switch target := o.GetStreamOption().(type) {
	case *persistent.CreateReq_Options_Stream:
		switch from := target.Stream.GetRevisionOption().(type) {
		case *persistent.CreateReq_StreamOptions_Revision:
			at = atRevision(from.Revision)
		case *persistent.CreateReq_StreamOptions_End:
			at.end = true
		case *persistent.CreateReq_StreamOptions_Start:
		default:
			return storedGroup{}, at, errNoStart
		}
	case *persistent.CreateReq_Options_All:
		switch from := target.All.GetAllOption().(type) {
		case *persistent.CreateReq_AllOptions_Position:
			at = atPosition(from.Position)
		case *persistent.CreateReq_AllOptions_End:
			at.end = true
		case *persistent.CreateReq_AllOptions_Start:
		default:
			return storedGroup{}, at, errNoStart
		}
		var err error
		if filter, err = storeFilter(target.All.GetFilter()); err != nil {
			return storedGroup{}, at, err
		}
	default: // as clients older than 21.10 ask, and some that are newer
		stream = o.GetStreamIdentifier()               //nolint:staticcheck // deprecated, and in use
		at = atRevision(o.GetSettings().GetRevision()) //nolint:staticcheck // deprecated, and in use
	}
	s := o.GetSettings()
	strategy := s.GetConsumerStrategy()
	if strategy == "" {
		strategy = s.GetNamedConsumerStrategy().String() //nolint:staticcheck // deprecated, and in use
	}
	entry, err := groupOf(stream, o.GetAll() != nil, o.GetGroupName(), s, s != nil, strategy)
	entry.Filter = filter
	return entry, at, err
}

func updatedGroup(o *persistent.UpdateReq_Options) (storedGroup, startPoint, error) {
	var (
		at     startPoint
		stream = o.GetStream().GetStreamIdentifier()
	)
	switch target := o.GetStreamOption().(type) {
	case *persistent.UpdateReq_Options_Stream:
		switch from := target.Stream.GetRevisionOption().(type) {
		case *persistent.UpdateReq_StreamOptions_Revision:
			at = atRevision(from.Revision)
		case *persistent.UpdateReq_StreamOptions_End:
			at.end = true
		case *persistent.UpdateReq_StreamOptions_Start:
		default:
			return storedGroup{}, at, errNoStart
		}
	case *persistent.UpdateReq_Options_All:
		switch from := target.All.GetAllOption().(type) {
		case *persistent.UpdateReq_AllOptions_Position:
			at = atPosition(from.Position)
		case *persistent.UpdateReq_AllOptions_End:
			at.end = true
		case *persistent.UpdateReq_AllOptions_Start:
		default:
			return storedGroup{}, at, errNoStart
		}
	default:
		stream = o.GetStreamIdentifier()               //nolint:staticcheck // deprecated, and in use
		at = atRevision(o.GetSettings().GetRevision()) //nolint:staticcheck // deprecated, and in use
	}
	s := o.GetSettings()
	entry, err := groupOf(stream, o.GetAll() != nil, o.GetGroupName(), s, s != nil, s.GetNamedConsumerStrategy().String())
	return entry, at, err
}

var errNoStart = invalid("persistent subscription: neither a place to start from, nor the start, nor the end")

func atRevision(revision uint64) startPoint {
	return startPoint{place: revision, end: revision == math.MaxUint64}
}

func atPosition(p interface {
	GetCommitPosition() uint64
	GetPreparePosition() uint64
},
) startPoint {
	c, q := p.GetCommitPosition(), p.GetPreparePosition()
	return startPoint{place: c, commit: c, prepare: q, end: c == math.MaxUint64 && q == math.MaxUint64}
}

// settingsMessage is what the settings of Create and Update have in common.
type settingsMessage interface {
	GetResolveLinks() bool
	GetExtraStatistics() bool
	GetMaxRetryCount() int32
	GetMinCheckpointCount() int32
	GetMaxCheckpointCount() int32
	GetMaxSubscriberCount() int32
	GetLiveBufferSize() int32
	GetReadBatchSize() int32
	GetHistoryBufferSize() int32
	GetMessageTimeoutTicks() int64
	GetMessageTimeoutMs() int32
	GetCheckpointAfterTicks() int64
	GetCheckpointAfterMs() int32
}

func groupOf(stream *shared.StreamIdentifier, all bool, name string, s settingsMessage, said bool, strategy string) (storedGroup, error) {
	key, err := keyOf(stream, all, name)
	if err != nil {
		return storedGroup{}, err
	}
	if !said {
		return storedGroup{}, invalid("persistent subscription: the settings are missing")
	}
	settings := group.Settings{
		ResolveLinks:    s.GetResolveLinks(),
		ExtraStatistics: s.GetExtraStatistics(),
		MessageTimeout:  duration(s.GetMessageTimeoutTicks(), s.GetMessageTimeoutMs()),
		MaxRetries:      int(s.GetMaxRetryCount()),
		CheckpointAfter: duration(s.GetCheckpointAfterTicks(), s.GetCheckpointAfterMs()),
		MinCheckpoint:   int(s.GetMinCheckpointCount()),
		MaxCheckpoint:   int(s.GetMaxCheckpointCount()),
		MaxConsumers:    int(s.GetMaxSubscriberCount()),
		ReadBatch:       int(s.GetReadBatchSize()),
		HistoryBuffer:   int(s.GetHistoryBufferSize()),
		LiveBuffer:      int(s.GetLiveBufferSize()),
		Strategy:        group.Strategy(strategy),
	}
	if err := settings.Check(); err != nil {
		return storedGroup{}, groupFailed(key, err.Error())
	}
	return storeGroup(key, settings), nil
}

// duration reads a time that clients say in one of two units.
func duration(ticks int64, milliseconds int32) time.Duration {
	if ticks != 0 {
		const perMillisecond = 10_000
		return time.Duration(max(min(ticks/perMillisecond, math.MaxInt32), -1)) * time.Millisecond
	}
	return time.Duration(milliseconds) * time.Millisecond
}

// storeFilter checks a filter of $all by reading it as the filter of an
// ordinary subscription, whose checkpoints persistent ones do not have.
func storeFilter(o *persistent.CreateReq_AllOptions_FilterOptions) (*storedFilter, error) {
	if o == nil {
		return nil, nil //nolint:nilnil // no filter is no error
	}
	f := &storedFilter{Context: filterByStream, IsAllStream: true}
	var e *persistent.CreateReq_AllOptions_FilterOptions_Expression
	switch kind := o.GetFilter().(type) {
	case *persistent.CreateReq_AllOptions_FilterOptions_StreamIdentifier:
		e = kind.StreamIdentifier
	case *persistent.CreateReq_AllOptions_FilterOptions_EventType:
		e, f.Context = kind.EventType, filterByType
	}
	f.Type, f.Data = filterByPrefix, e.GetPrefix()
	if e.GetRegex() != "" {
		f.Type, f.Data = filterByRegex, []string{e.GetRegex()}
	}
	_, err := f.compile()
	return f, err
}

// compile makes a filter of a stored one.
func (f *storedFilter) compile() (filter, error) {
	if f == nil {
		return filter{}, nil
	}
	e := &streams.ReadReq_Options_FilterOptions_Expression{Prefix: f.Data}
	if f.Type == filterByRegex {
		e = &streams.ReadReq_Options_FilterOptions_Expression{Regex: strings.Join(f.Data, "|")}
	}
	o := &streams.ReadReq_Options_FilterOptions{
		Window: &streams.ReadReq_Options_FilterOptions_Count{Count: &shared.Empty{}},
		Filter: &streams.ReadReq_Options_FilterOptions_StreamIdentifier{StreamIdentifier: e},
	}
	if f.Context == filterByType {
		o.Filter = &streams.ReadReq_Options_FilterOptions_EventType{EventType: e}
	}
	return parseFilter(o)
}
