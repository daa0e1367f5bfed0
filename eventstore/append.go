package eventstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
)

// MaxAppendSize is the most data and metadata, in bytes, that one append may
// carry. It is EventStoreDB's default.
const MaxAppendSize = 1 << 20

// Append adds the events to the stream, all of them or none, provided that the
// stream is where it is expected to be.
//
// While ctx lives (Config.Timeout, when it has no deadline) a lost connection
// is answered by sending the same again. That is safe with NoStream and Exactly:
// a log that took the events before it was lost recognises them by their ids and
// answers as it did, or would have done, the first time. With Any and
// StreamExists it recognises only recent ones: the events may be appended twice.
//
// The events must not be changed afterwards, not even after an error.
func (c *Client) Append(ctx context.Context, stream string, expected Expected, events ...Proposed) (at Appended, err error) {
	ctx, span := traceCall(ctx, "append", stream)
	defer func() { endSpan(span, err) }()
	span.SetAttributes(attribute.Int("portal.events", len(events)))
	op := operation{"append to", stream}
	if err := checkAppend(stream, events); err != nil {
		return Appended{}, op.fail(ErrInvalid, err)
	}
	if size := sizeOf(events); size > MaxAppendSize {
		return Appended{}, op.fail(ErrTooLarge,
			fmt.Errorf("%d bytes, at most %d fit into one append", size, MaxAppendSize))
	}
	return call(ctx, c, op, func(ctx context.Context, db *esdb.Client) (Appended, error) {
		if at, taken := c.batches.append(ctx, stream, expected, events); taken {
			return at, nil
		}
		return appendAlone(ctx, db, stream, expected, events)
	})
}

// appendAlone makes a call of its own for the append.
func appendAlone(ctx context.Context, db *esdb.Client, stream string, expected Expected, events []Proposed) (Appended, error) {
	options := esdb.AppendToStreamOptions{ExpectedRevision: expected.wire()}
	proposed := make([]esdb.EventData, len(events))
	for i, e := range events {
		proposed[i] = esdb.EventData{
			EventID: e.ID, EventType: e.Type, ContentType: esdb.ContentTypeJson,
			Data: e.Data, Metadata: e.Metadata,
		}
		if e.Binary {
			proposed[i].ContentType = esdb.ContentTypeBinary
		}
	}
	written, err := db.AppendToStream(ctx, stream, options, proposed...)
	if err != nil {
		return Appended{}, err
	}
	return Appended{
		Revision: written.NextExpectedVersion, // the current one, in spite of its name
		Position: Position{Commit: written.CommitPosition, Prepare: written.PreparePosition},
	}, nil
}

func checkAppend(stream string, events []Proposed) error {
	if stream == "" {
		return errNoStreamName
	}
	if len(events) == 0 {
		return errors.New("no events")
	}
	for i, e := range events {
		// The esdb client would make up an id, and no repeat be recognised.
		if e.ID == uuid.Nil {
			return fmt.Errorf("event %d has no id", i)
		}
		if e.Type == "" {
			return fmt.Errorf("event %d has no type", i)
		}
	}
	return nil
}

var errNoStreamName = errors.New("the stream has no name")

func sizeOf(events []Proposed) int {
	size := 0
	for _, e := range events {
		size += len(e.Data) + len(e.Metadata)
	}
	return size
}

func (e Expected) wire() esdb.ExpectedRevision {
	switch e.kind {
	case expectAny:
		return esdb.Any{}
	case expectExists:
		return esdb.StreamExists{}
	case expectExact:
		return esdb.Revision(e.revision)
	default:
		return esdb.NoStream{}
	}
}
