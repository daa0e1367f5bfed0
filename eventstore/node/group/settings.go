package group

import (
	"fmt"
	"time"
)

// Strategy is a way of choosing the consumer for an event. Its values are
// EventStoreDB's names.
type Strategy string

// The strategies.
const (
	DispatchToSingle    Strategy = "DispatchToSingle"
	RoundRobin          Strategy = "RoundRobin"
	Pinned              Strategy = "Pinned"
	PinnedByCorrelation Strategy = "PinnedByCorrelation"
)

// Settings are what a client sets when it creates or updates a group.
type Settings struct {
	ResolveLinks    bool
	ExtraStatistics bool // measure how long consumers take

	MessageTimeout time.Duration // then a message counts as failed
	MaxRetries     int           // of a message, before it is parked

	CheckpointAfter time.Duration // the least time between checkpoints by time; 0: none by time
	MinCheckpoint   int           // fewer events than these are no reason for a checkpoint
	MaxCheckpoint   int           // as many events as these are, whatever the time

	MaxConsumers int // 0: any number

	// ReadBatch events are read at a time while fewer than HistoryBuffer wait.
	ReadBatch     int
	HistoryBuffer int
	// LiveBuffer is kept and shown, and bounds nothing: the journal keeps the
	// log's newest events in memory for all its readers.
	LiveBuffer int

	Strategy Strategy
}

// defaultReadBatch is for those who name none.
const defaultReadBatch = 20

func (s Settings) readBatch() int {
	if s.ReadBatch == 0 {
		return defaultReadBatch
	}
	return s.ReadBatch
}

// Check says which setting makes no sense, and why.
func (s Settings) Check() error {
	switch s.Strategy {
	case DispatchToSingle, RoundRobin, Pinned, PinnedByCorrelation:
	default:
		return fmt.Errorf("consumer strategy %s does not exist", s.Strategy)
	}
	for _, setting := range []struct {
		name  string
		value int64
	}{
		{"message timeout", int64(s.MessageTimeout)},
		{"max retry count", int64(s.MaxRetries)},
		{"checkpoint after", int64(s.CheckpointAfter)},
		{"min checkpoint count", int64(s.MinCheckpoint)},
		{"max checkpoint count", int64(s.MaxCheckpoint)},
		{"max subscriber count", int64(s.MaxConsumers)},
		{"live buffer size", int64(s.LiveBuffer)},
		{"read batch size", int64(s.ReadBatch)},
		{"history buffer size", int64(s.HistoryBuffer)},
	} {
		if setting.value < 0 {
			return fmt.Errorf("%s: must not be negative", setting.name)
		}
	}
	if s.readBatch() >= s.HistoryBuffer {
		return fmt.Errorf("read batch size %d: must be less than the history buffer size %d", s.readBatch(), s.HistoryBuffer)
	}
	return nil
}
