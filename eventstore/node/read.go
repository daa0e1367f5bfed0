package node

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strconv"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"

	"portal.example/eventstore/node/journal"
)

// Read answers the four kinds of reading: a stream or $all, once or as a
// subscription.
func (s *streamsService) Read(req *streams.ReadReq, stream streams.Streams_ReadServer) error {
	s.readers.Add(1)
	defer s.readers.Add(-1)
	r := &reader{service: s, ctx: stream.Context(), stream: stream}
	return fail(r.ctx, r.serve(req.GetOptions()))
}

// reader serves one Read call.
type reader struct {
	service   *streamsService
	ctx       context.Context //nolint:containedctx // the call's own, and the reader lives as long as the call
	stream    grpc.ServerStream
	links     bool
	textID    bool
	backwards bool
	left      uint64 // events still to be sent
	filter    filter
}

func (r *reader) serve(o *streams.ReadReq_Options) (err error) {
	if o == nil {
		return invalid("read: the options are missing")
	}
	r.links = o.GetResolveLinks()
	r.backwards = o.GetReadDirection() == streams.ReadReq_Options_Backwards
	_, r.textID = o.GetUuidOption().GetContent().(*streams.ReadReq_Options_UUIDOption_String_)
	if r.filter, err = parseFilter(o.GetFilter()); err != nil {
		return err
	}
	subscribing := false
	switch count := o.GetCountOption().(type) {
	case *streams.ReadReq_Options_Count:
		r.left = count.Count
	case *streams.ReadReq_Options_Subscription:
		subscribing, r.left = true, math.MaxUint64
	default:
		return invalid("read: neither a count nor a subscription")
	}
	if subscribing && r.backwards {
		return invalid("subscription: there is no subscribing backwards")
	}
	switch target := o.GetStreamOption().(type) {
	case *streams.ReadReq_Options_All:
		if subscribing {
			return r.subscribeToAll(target.All)
		}
		return r.readAll(target.All)
	case *streams.ReadReq_Options_Stream:
		if r.filter.active {
			return invalid("filter: only $all is filtered")
		}
		name, err := streamName(target.Stream.GetStreamIdentifier())
		if err != nil {
			return err
		}
		if subscribing {
			return r.subscribeToStream(name, target.Stream)
		}
		return r.readStream(name, target.Stream)
	default:
		return invalid("read: neither a stream nor $all")
	}
}

// readAll reads up to the end as it was at the start, so that a reader slower
// than the writers comes to an end too.
func (r *reader) readAll(o *streams.ReadReq_Options_AllOptions) error {
	head := r.service.journal.Head()
	from, read := uint64(0), r.service.journal.Forwards
	if r.backwards {
		read = r.service.journal.Backwards
	}
	switch at := o.GetAllOption().(type) {
	case *streams.ReadReq_Options_AllOptions_Position:
		from = at.Position.GetCommitPosition()
	case *streams.ReadReq_Options_AllOptions_End:
		from = math.MaxUint64
	case *streams.ReadReq_Options_AllOptions_Start:
	default:
		return invalid("read of $all: neither a position, nor the start, nor the end")
	}
	for r.left > 0 && (r.backwards || from <= head) {
		limit := r.limit()
		if r.filter.active {
			limit.Records = math.MaxUint64 // how many must be looked at is not known
		}
		page, err := read(r.ctx, from, limit)
		if err != nil {
			return err
		}
		for i := range page.Records {
			record := &page.Records[i]
			if r.left == 0 || record.Position > head && !r.backwards {
				return nil
			}
			if !r.filter.admits(record) {
				continue
			}
			if err := r.send(record); err != nil {
				return err
			}
		}
		if page.End {
			return nil
		}
		from = page.Next
	}
	return nil
}

func (r *reader) readStream(name string, o *streams.ReadReq_Options_StreamOptions) error {
	stream, err := r.service.journal.Stream(name)
	if errors.Is(err, journal.ErrNoStream) {
		return r.stream.SendMsg(&streams.ReadResp{Content: &streams.ReadResp_StreamNotFound_{
			StreamNotFound: &streams.ReadResp_StreamNotFound{
				StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(name)},
			},
		}})
	}
	if err != nil {
		return err
	}
	from, read := uint64(0), r.service.journal.StreamForwards
	if r.backwards {
		read = r.service.journal.StreamBackwards
	}
	switch at := o.GetRevisionOption().(type) {
	case *streams.ReadReq_Options_StreamOptions_Revision:
		from = at.Revision
	case *streams.ReadReq_Options_StreamOptions_End:
		from = math.MaxUint64
	case *streams.ReadReq_Options_StreamOptions_Start:
	default:
		return invalid("read of a stream: neither a revision, nor the start, nor the end")
	}
	for r.left > 0 {
		page, err := read(r.ctx, stream, from, r.limit())
		if err != nil {
			return err
		}
		for i := range page.Records {
			if err := r.send(&page.Records[i]); err != nil {
				return err
			}
		}
		if page.End {
			return nil
		}
		from = page.Next
	}
	return nil
}

// All pages of all readers together stay within this memory, however many
// clients read at once and however slowly they take what they asked for.
const (
	readMemory   = 64 << 20
	maxPageBytes = 512 << 10
	minPageBytes = 4 << 10
)

func (r *reader) limit() journal.Limit {
	share := readMemory / int(max(r.service.readers.Load(), 1))
	return journal.Limit{Records: r.left, Bytes: min(max(share, minPageBytes), maxPageBytes)}
}

// send sends one event, with the event that it links to where the client wants
// links resolved. A link to what is no longer there is sent by itself.
func (r *reader) send(record *journal.Record) error {
	m := &eventMessage{record: record, textID: r.textID}
	if r.links && string(record.Type) == "$>" {
		target, err := r.resolve(record)
		if err != nil {
			return err
		}
		if target != nil {
			m.record, m.link = target, record
		}
	}
	r.left--
	return r.stream.SendMsg(m)
}

// resolve follows a link, whose data is revision@stream.
func (r *reader) resolve(link *journal.Record) (*journal.Record, error) {
	revision, stream, ok := bytes.Cut(link.Data, []byte("@"))
	n, err := strconv.ParseInt(string(revision), 10, 64)
	if !ok || err != nil || n < 0 {
		return nil, nil //nolint:nilnil // no link after all, and no error either
	}
	target, err := r.service.journal.At(string(stream), uint64(n))
	var gone *journal.StreamDeleted
	if errors.Is(err, journal.ErrNoStream) || errors.As(err, &gone) {
		return nil, nil //nolint:nilnil // what it links to has gone
	}
	if err != nil {
		return nil, err
	}
	return &target, nil
}
