package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"strconv"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"portal.example/eventstore/node/group"
	"portal.example/eventstore/node/journal"
)

// This file writes and reads what groups leave in the log. Names, types and
// forms are EventStoreDB's, but for From below.

// configStream holds the settings of all groups in its last event.
const configStream = "$persistentSubscriptionConfig"

func checkpointStream(key groupKey) string {
	return "$persistentsubscription-" + key.String() + "-checkpoint"
}

func parkedStream(key groupKey) string {
	return "$persistentsubscription-" + key.String() + "-parked"
}

const (
	configType     = "$PersistentConfig"
	checkpointType = "$SubscriptionCheckpoint"
	metadataType   = "$metadata"
	configVersion  = "2"
)

// keepTwo is the metadata of streams of which only the last event counts.
const keepTwo = `{"$maxCount":2}`

type storedConfig struct {
	Version string        `json:"version"`
	Updated time.Time     `json:"updated"`
	Entries []storedGroup `json:"entries"`
}

// storedGroup is a group's settings as they are stored; times are milliseconds.
type storedGroup struct {
	Stream          string         `json:"stream"`
	Group           string         `json:"group"`
	Filter          *storedFilter  `json:"filter,omitempty"`
	ResolveLinks    bool           `json:"resolveLinkTos"`
	ExtraStatistics bool           `json:"extraStatistics"`
	MessageTimeout  int64          `json:"messageTimeout"`
	StartPosition   string         `json:"startPosition"`
	LiveBuffer      int            `json:"liveBufferSize"`
	HistoryBuffer   int            `json:"historyBufferSize"`
	MaxRetries      int            `json:"maxRetryCount"`
	ReadBatch       int            `json:"readBatchSize"`
	CheckpointAfter int64          `json:"checkPointAfter"`
	MinCheckpoint   int            `json:"minCheckPointCount"`
	MaxCheckpoint   int            `json:"maxCheckPointCount"`
	MaxConsumers    int            `json:"maxSubscriberCount"`
	Strategy        group.Strategy `json:"namedConsumerStrategy"`

	// From is the place of the first event for the group, which is the end as
	// it was where the group was to begin there: what came after that and before
	// the first checkpoint must be found after a restart.
	From uint64 `json:"from"`
}

type storedFilter struct {
	Context     string   `json:"context"`
	Type        string   `json:"type"`
	Data        []string `json:"data"`
	IsAllStream bool     `json:"isAllStream"`
}

const (
	filterByStream = "streamid"
	filterByType   = "eventtype"
	filterByPrefix = "prefix"
	filterByRegex  = "regex"
)

func (e *storedGroup) key() groupKey { return groupKey{stream: e.Stream, name: e.Group} }

func storeGroup(key groupKey, s group.Settings) storedGroup {
	return storedGroup{
		Stream: key.stream, Group: key.name,
		ResolveLinks: s.ResolveLinks, ExtraStatistics: s.ExtraStatistics,
		MessageTimeout: s.MessageTimeout.Milliseconds(), MaxRetries: s.MaxRetries,
		CheckpointAfter: s.CheckpointAfter.Milliseconds(), MinCheckpoint: s.MinCheckpoint, MaxCheckpoint: s.MaxCheckpoint,
		MaxConsumers: s.MaxConsumers,
		ReadBatch:    s.ReadBatch, HistoryBuffer: s.HistoryBuffer, LiveBuffer: s.LiveBuffer,
		Strategy: s.Strategy,
	}
}

func (e *storedGroup) settings() group.Settings {
	return group.Settings{
		ResolveLinks: e.ResolveLinks, ExtraStatistics: e.ExtraStatistics,
		MessageTimeout: time.Duration(e.MessageTimeout) * time.Millisecond, MaxRetries: e.MaxRetries,
		CheckpointAfter: time.Duration(e.CheckpointAfter) * time.Millisecond, MinCheckpoint: e.MinCheckpoint, MaxCheckpoint: e.MaxCheckpoint,
		MaxConsumers: e.MaxConsumers,
		ReadBatch:    e.ReadBatch, HistoryBuffer: e.HistoryBuffer, LiveBuffer: e.LiveBuffer,
		Strategy: e.Strategy,
	}
}

// begin settles where the group begins.
func (e *storedGroup) begin(j *journal.Journal, at startPoint) error {
	head := j.Head()
	e.StartPosition, e.From = at.text(e.Stream), at.place
	switch {
	case e.Stream == allStream && at.end:
		e.From = head + 1
	case e.Stream == allStream && at.prepare > at.commit:
		return groupFailed(e.key(), "Invalid Start From position: prepare position must be less than or equal to the commit position.")
	case e.Stream == allStream && at.commit > head:
		return groupFailed(e.key(), "Invalid Start From position: commit position must be less than or equal to the last commit position in the transaction file.")
	case at.end:
		s, err := j.Stream(e.Stream)
		var deleted *journal.StreamDeleted
		switch {
		case errors.Is(err, journal.ErrNoStream), errors.As(err, &deleted):
			e.From = 0 // nothing that is there now will ever be shown
		case err != nil:
			return err
		default:
			e.From = uint64(s.Last) + 1
		}
	}
	return nil
}

func loadGroups(ctx context.Context, j *journal.Journal) ([]storedGroup, error) {
	record, err := lastOf(ctx, j, configStream)
	if err != nil || record == nil {
		return nil, err
	}
	var config storedConfig
	if err := json.Unmarshal(record.Data, &config); err != nil {
		return nil, fmt.Errorf("stream %s, revision %d: %w", configStream, record.Revision, err)
	}
	for i := range config.Entries {
		if err := config.Entries[i].settings().Check(); err != nil {
			return nil, fmt.Errorf("stream %s, revision %d: group %s: %w", configStream, record.Revision, config.Entries[i].key(), err)
		}
	}
	return config.Entries, nil
}

func saveGroups(ctx context.Context, j *journal.Journal, entries []storedGroup) error {
	data, err := json.Marshal(storedConfig{Version: configVersion, Updated: time.Now().UTC(), Entries: entries})
	if err != nil {
		return err
	}
	if len(data) > maxAppendBytes {
		return status.Errorf(codes.ResourceExhausted, "persistent subscriptions: the settings of all take %d bytes, %d at most", len(data), maxAppendBytes)
	}
	return appendLast(ctx, j, configStream, journal.Event{ID: uuid.New(), Type: configType, JSON: true, Data: data})
}

// loadCheckpoint returns where a group has come to, known only if it has been
// written down.
func loadCheckpoint(ctx context.Context, j *journal.Journal, key groupKey) (place uint64, known bool, err error) {
	record, err := lastOf(ctx, j, checkpointStream(key))
	if err != nil || record == nil {
		return 0, false, err
	}
	var text string
	if err = json.Unmarshal(record.Data, &text); err == nil {
		place, err = parsePlace(key.stream, text)
	}
	if err != nil {
		return 0, false, fmt.Errorf("stream %s, revision %d: %w", checkpointStream(key), record.Revision, err)
	}
	return place, true, nil
}

func saveCheckpoint(ctx context.Context, j *journal.Journal, key groupKey, place uint64) error {
	data, err := json.Marshal(placeText(key.stream, place))
	if err != nil {
		return err
	}
	return appendLast(ctx, j, checkpointStream(key), journal.Event{ID: uuid.New(), Type: checkpointType, JSON: true, Data: data})
}

// appendLast appends to a stream of which only the last event counts, and says
// so in its metadata.
func appendLast(ctx context.Context, j *journal.Journal, stream string, e journal.Event) error {
	if _, err := j.Append(ctx, stream, journal.Any, []journal.Event{e}); err != nil {
		return err
	}
	var limit struct {
		MaxCount int64 `json:"$maxCount"`
	}
	record, err := lastOf(ctx, j, "$$"+stream)
	if err != nil {
		return err
	}
	if record != nil && json.Unmarshal(record.Data, &limit) == nil && limit.MaxCount > 0 {
		return nil
	}
	return setMetadata(ctx, j, stream, keepTwo)
}

func setMetadata(ctx context.Context, j *journal.Journal, stream, metadata string) error {
	e := journal.Event{ID: uuid.New(), Type: metadataType, JSON: true, Data: []byte(metadata)}
	_, err := j.Append(ctx, "$$"+stream, journal.Any, []journal.Event{e})
	return err
}

// lastOf returns a stream's last event, nil where there is none to see.
func lastOf(ctx context.Context, j *journal.Journal, stream string) (*journal.Record, error) {
	s, err := j.Stream(stream)
	var deleted *journal.StreamDeleted
	if errors.Is(err, journal.ErrNoStream) || errors.As(err, &deleted) {
		return nil, nil //nolint:nilnil // an empty stream is no error
	}
	if err != nil {
		return nil, err
	}
	page, err := j.StreamBackwards(ctx, s, math.MaxUint64, journal.Limit{Records: 1})
	if err != nil || len(page.Records) == 0 {
		return nil, err
	}
	return &page.Records[0], nil
}

// parkedMetadata says why a message was parked.
type parkedMetadata struct {
	Added    time.Time `json:"added"`
	Reason   string    `json:"reason"`
	Revision uint64    `json:"subscriptionEventNumber"`
}

// saveParked writes links to the messages and returns the last one's revision.
func saveParked(ctx context.Context, j *journal.Journal, key groupKey, messages []*group.Message, now time.Time) (int64, error) {
	links := make([]journal.Event, 0, len(messages))
	for _, m := range messages {
		why, err := json.Marshal(parkedMetadata{Added: now.UTC(), Reason: m.Reason, Revision: m.Original().Revision})
		if err != nil {
			return 0, err
		}
		link := journal.Event{ID: uuid.New(), Type: linkType, Metadata: why}
		if m.Record != nil {
			link.Data = fmt.Appendf(nil, "%d@%s", m.Record.Revision, m.Record.Stream)
		} else {
			link.Data = m.Link.Data // which leads nowhere, as before
		}
		links = append(links, link)
	}
	r, err := j.Append(ctx, parkedStream(key), journal.Any, links)
	return r.Revision, err
}

// truncateParked forgets the parked messages before a revision, where nobody has
// forgotten more. What else their stream's metadata says stays.
func truncateParked(ctx context.Context, j *journal.Journal, key groupKey, before uint64) error {
	stream := parkedStream(key)
	for {
		record, err := lastOf(ctx, j, "$$"+stream)
		if err != nil {
			return err
		}
		expected, fields := journal.NoStream, map[string]json.RawMessage{}
		if record != nil {
			expected = journal.Expected(record.Revision)
			var kept map[string]json.RawMessage
			if json.Unmarshal(record.Data, &kept) == nil {
				maps.Copy(fields, kept)
			}
		}
		var already uint64
		if json.Unmarshal(fields["$tb"], &already) == nil && already >= before {
			return nil
		}
		fields["$tb"] = strconv.AppendUint(nil, before, 10)
		data, err := json.Marshal(fields)
		if err != nil {
			return err
		}
		var overtaken *journal.WrongExpected
		e := journal.Event{ID: uuid.New(), Type: metadataType, JSON: true, Data: data}
		if _, err = j.Append(ctx, "$$"+stream, expected, []journal.Event{e}); !errors.As(err, &overtaken) {
			return err
		}
	}
}
