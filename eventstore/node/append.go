package node

import (
	"errors"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"portal.example/eventstore/node/journal"
)

// maxAppendBytes bounds the data of one append, as EventStoreDB does.
const maxAppendBytes = 1 << 20

// maxAppendEvents bounds what an append of tiny events takes in memory, where
// each carries its stream's name.
const maxAppendEvents = 10_000

// Append takes one stream of messages: the options, then the events.
func (s *streamsService) Append(stream streams.Streams_AppendServer) error {
	ctx := stream.Context()
	p, err := s.receive(stream)
	if err != nil {
		return err
	}
	if p.err != nil {
		trail(ctx, trailersOf(p.err)...)
		return p.err
	}
	if err := mayWrite(ctx, p.stream); err != nil {
		return err
	}
	r, err := s.journal.Append(ctx, p.stream, p.expected, p.events)
	var wrong *journal.WrongExpected
	switch {
	case errors.As(err, &wrong):
		return stream.SendAndClose(wrongExpected(wrong))
	case err != nil:
		return fail(ctx, err)
	}
	return stream.SendAndClose(appended(r))
}

// proposal is what a client asks to append.
type proposal struct {
	stream   string
	expected journal.Expected
	events   []journal.Event
	size     int
	err      error
}

// receive takes a client's messages, for a bounded time: one that opens an append
// and goes silent must not hold anything for longer. The call's own deadline
// bounds it where it comes soon enough, which spares a goroutine.
func (s *streamsService) receive(stream streams.Streams_AppendServer) (*proposal, error) {
	if deadline, ok := stream.Context().Deadline(); ok && time.Until(deadline) <= s.appendTimeout {
		return receiveAll(stream), nil
	}
	received := make(chan *proposal, 1)
	go func() { received <- receiveAll(stream) }()
	silence := time.NewTimer(s.appendTimeout)
	defer silence.Stop()
	select {
	case p := <-received:
		return p, nil
	case <-silence.C:
		return nil, status.Errorf(codes.DeadlineExceeded, "the append was not complete within %v", s.appendTimeout)
	}
}

// receiveAll reads a client's messages to their end, also after a mistake: a
// client that is still sending would not see the answer.
func receiveAll(stream streams.Streams_AppendServer) *proposal {
	p := &proposal{}
	for first := true; ; first = false {
		req, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			if first {
				p.err = errNoOptions
			}
			return p
		case err != nil:
			p.err = err
			return p
		case p.err != nil:
		case first:
			p.err = p.open(req.GetOptions())
		case req.GetProposedMessage() == nil:
			p.err = invalid("append: every message after the options must be an event")
		default:
			p.err = p.add(req.GetProposedMessage())
		}
	}
}

var errNoOptions = invalid("append: the first message must be the options")

// These refusals clients know by trailers.
var (
	errTooLarge      = invalid("Maximum Append Size of %d Exceeded.", maxAppendBytes)
	errNoType        = invalid("event: metadata property type: missing")
	errNoContentType = invalid("event: metadata property content-type: missing")
)

func trailersOf(err error) []string {
	switch {
	case errors.Is(err, errTooLarge):
		return []string{trailerException, "maximum-append-size-exceeded", "maximum-append-size", strconv.Itoa(maxAppendBytes)}
	case errors.Is(err, errNoType), errors.Is(err, errNoContentType):
		return []string{
			trailerException, "missing-required-metadata-property",
			"required-metadata-properties", "type,content-type",
		}
	}
	return nil
}

func (p *proposal) open(o *streams.AppendReq_Options) (err error) {
	if o == nil {
		return errNoOptions
	}
	p.stream, p.expected, err = writeTarget(o, o.GetExpectedStreamRevision() != nil)
	return err
}

// proposedMessage is an event as Append and BatchAppend take it.
type proposedMessage interface {
	GetId() *shared.UUID
	GetMetadata() map[string]string
	GetCustomMetadata() []byte
	GetData() []byte
}

func (p *proposal) add(m proposedMessage) error {
	e, err := proposedEvent(m)
	if err != nil {
		return err
	}
	if len(p.events) == maxAppendEvents {
		p.events = nil
		return invalid("append: more than %d events", maxAppendEvents)
	}
	p.size += len(e.Data) + len(e.Metadata) + 2*len(e.Type)
	if p.size > maxAppendBytes {
		p.events = nil
		return errTooLarge
	}
	p.events = append(p.events, e)
	return nil
}

func proposedEvent(m proposedMessage) (journal.Event, error) {
	if m.GetMetadata()["type"] == "" {
		return journal.Event{}, errNoType
	}
	if m.GetMetadata()["content-type"] == "" {
		return journal.Event{}, errNoContentType
	}
	id, err := parseID(m.GetId())
	if err != nil {
		return journal.Event{}, err
	}
	kind := m.GetMetadata()["type"]
	if len(kind) > maxNameBytes {
		return journal.Event{}, invalid("event %s: metadata property type: %d bytes, %d at most", id, len(kind), maxNameBytes)
	}
	return journal.Event{
		ID:       id,
		Type:     kind,
		JSON:     m.GetMetadata()["content-type"] == jsonContent,
		Data:     m.GetData(),
		Metadata: m.GetCustomMetadata(),
	}, nil
}

func parseID(id *shared.UUID) (uuid.UUID, error) { return parseUUID("event id", id) }

func parseUUID(what string, id *shared.UUID) (uuid.UUID, error) {
	var parsed uuid.UUID
	switch v := id.GetValue().(type) {
	case *shared.UUID_Structured_:
		parsed = structuredID(v.Structured)
	case *shared.UUID_String_:
		var err error
		if parsed, err = uuid.Parse(v.String_); err != nil {
			return uuid.Nil, invalid("%s %.64q: no UUID", what, v.String_)
		}
	}
	if parsed == uuid.Nil {
		return uuid.Nil, invalid("%s: missing", what)
	}
	return parsed, nil
}

func appended(r journal.Result) *streams.AppendResp {
	success := &streams.AppendResp_Success{
		CurrentRevisionOption: &streams.AppendResp_Success_NoStream{},
		PositionOption:        &streams.AppendResp_Success_NoPosition{},
	}
	if r.Revision >= 0 {
		success.CurrentRevisionOption = &streams.AppendResp_Success_CurrentRevision{CurrentRevision: uint64(r.Revision)}
		success.PositionOption = &streams.AppendResp_Success_Position{
			Position: &streams.AppendResp_Position{CommitPosition: r.Position, PreparePosition: r.Position},
		}
	}
	return &streams.AppendResp{Result: &streams.AppendResp_Success_{Success: success}}
}

// wrongExpected fills both generations of fields: clients read either.
func wrongExpected(w *journal.WrongExpected) *streams.AppendResp {
	empty := &shared.Empty{}
	v := &streams.AppendResp_WrongExpectedVersion{
		CurrentRevisionOption:        &streams.AppendResp_WrongExpectedVersion_CurrentNoStream{CurrentNoStream: empty},
		CurrentRevisionOption_20_6_0: &streams.AppendResp_WrongExpectedVersion_NoStream_20_6_0{NoStream_20_6_0: empty},
	}
	if w.Current >= 0 {
		v.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: uint64(w.Current)}
		v.CurrentRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_CurrentRevision_20_6_0{CurrentRevision_20_6_0: uint64(w.Current)}
	}
	switch w.Expected {
	case journal.Any:
		v.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedAny{ExpectedAny: empty}
		v.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_Any_20_6_0{Any_20_6_0: empty}
	case journal.StreamExists:
		v.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: empty}
		v.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_StreamExists_20_6_0{StreamExists_20_6_0: empty}
	case journal.NoStream: // the older fields have no word for it but the number
		v.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: empty}
		v.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: math.MaxUint64}
	default:
		v.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision{ExpectedRevision: uint64(w.Expected)}
		v.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: uint64(w.Expected)}
	}
	return &streams.AppendResp{Result: &streams.AppendResp_WrongExpectedVersion_{WrongExpectedVersion: v}}
}
