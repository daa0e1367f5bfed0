package eventstore

import (
	"encoding/binary"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/emptypb"
)

// newBatch is an append in one part. It has no deadline: the server's own holds.
func newBatch(stream string, expected Expected, events []Proposed) *streams.BatchAppendReq {
	options := &streams.BatchAppendReq_Options{StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(stream)}}
	switch expected.kind {
	case expectAny:
		options.ExpectedStreamPosition = &streams.BatchAppendReq_Options_Any{Any: &emptypb.Empty{}}
	case expectExists:
		options.ExpectedStreamPosition = &streams.BatchAppendReq_Options_StreamExists{StreamExists: &emptypb.Empty{}}
	case expectExact:
		options.ExpectedStreamPosition = &streams.BatchAppendReq_Options_StreamPosition{StreamPosition: expected.revision}
	default:
		options.ExpectedStreamPosition = &streams.BatchAppendReq_Options_NoStream{NoStream: &emptypb.Empty{}}
	}
	proposed := make([]*streams.BatchAppendReq_ProposedMessage, len(events))
	for i, e := range events {
		proposed[i] = &streams.BatchAppendReq_ProposedMessage{
			Id: wireID(e.ID), Data: e.Data, CustomMetadata: e.Metadata,
			Metadata: map[string]string{"type": e.Type, "content-type": contentType(e)},
		}
	}
	return &streams.BatchAppendReq{Options: options, ProposedMessages: proposed, IsFinal: true}
}

func contentType(e Proposed) string {
	if e.Binary {
		return "application/octet-stream"
	}
	return "application/json"
}

func wireID(id uuid.UUID) *shared.UUID {
	return structured(int64(binary.BigEndian.Uint64(id[:8])), int64(binary.BigEndian.Uint64(id[8:])))
}

func structured(high, low int64) *shared.UUID {
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits: high, LeastSignificantBits: low,
	}}}
}

// correlation makes an id out of a number, which is unique within its call only.
func correlation(number int64) *shared.UUID { return structured(0, number) }

// correlationOf is 0, which no append has, where the server has made up an id.
func correlationOf(answer *streams.BatchAppendResp) int64 {
	if answer.GetCorrelationId().GetStructured().GetMostSignificantBits() != 0 {
		return 0
	}
	return answer.GetCorrelationId().GetStructured().GetLeastSignificantBits()
}

// successOf returns false for any other answer.
func successOf(answer *streams.BatchAppendResp) (Appended, bool) {
	success := answer.GetSuccess()
	revision, known := success.GetCurrentRevisionOption().(*streams.BatchAppendResp_Success_CurrentRevision)
	position := success.GetPosition()
	if !known || position == nil {
		return Appended{}, false
	}
	return Appended{
		Revision: revision.CurrentRevision,
		Position: Position{Commit: position.GetCommitPosition(), Prepare: position.GetPreparePosition()},
	}, true
}
