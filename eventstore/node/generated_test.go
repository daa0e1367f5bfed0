package node

import (
	"strconv"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"portal.example/eventstore/node/journal"
)

// generated is a record as a message of the generated code.
func generated(r *journal.Record, textID bool) *streams.ReadResp_ReadEvent_RecordedEvent {
	if r == nil {
		return nil
	}
	id := &shared.UUID{Value: &shared.UUID_String_{String_: r.ID.String()}}
	if !textID {
		high, low := halves(r.ID)
		id = &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
			MostSignificantBits: int64(high), LeastSignificantBits: int64(low),
		}}}
	}
	// proto3 leaves empty bytes out; the hand-written form sends them with
	// length zero, which reads the same.
	return &streams.ReadResp_ReadEvent_RecordedEvent{
		Id:               id,
		StreamIdentifier: &shared.StreamIdentifier{StreamName: r.Stream},
		StreamRevision:   r.Revision,
		PreparePosition:  r.Position,
		CommitPosition:   r.Position,
		Metadata: map[string]string{
			"type":         string(r.Type),
			"created":      strconv.FormatInt(int64(r.Created), 10),
			"content-type": contentType(r),
		},
		CustomMetadata: r.Metadata,
		Data:           r.Data,
	}
}
