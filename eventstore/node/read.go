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
	switch o.GetUuidOption().GetContent().(type) {
	case *streams.ReadReq_Options_UUIDOption_Structured:
	case *streams.ReadReq_Options_UUIDOption_String_:
		r.textID = true
	default:
		return invalid("read: it is not said in which form ids are wanted")
	}
	if o.GetFilterOption() == nil {
		return invalid("read: neither a filter nor the wish for none")
	}
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
	if subscribing && r.filter.active && r.filter.every == 0 {
		return invalid("filter: the checkpoint interval must be positive")
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
		return r.readStream(name, target.Stream, o.GetControlOption().GetCompatibility() >= 1)
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
	for end := false; r.left > 0 && !end && (r.backwards || from <= head); {
		err := r.page(func(limit journal.Limit) (journal.Page, error) {
			if r.filter.active {
				limit.Records = math.MaxUint64 // how many must be looked at is not known
			}
			return read(r.ctx, from, limit)
		}, func(page journal.Page) error {
			end, from = page.End, page.Next
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
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) readStream(name string, o *streams.ReadReq_Options_StreamOptions, telling bool) error {
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
	if telling && !r.backwards {
		if err := r.tellFirst(stream, from); err != nil {
			return err
		}
	}
	for end := false; r.left > 0 && !end; {
		err := r.page(func(limit journal.Limit) (journal.Page, error) {
			return read(r.ctx, stream, from, limit)
		}, func(page journal.Page) error {
			end, from = page.End, page.Next
			return r.sendAll(page)
		})
		if err != nil {
			return err
		}
	}
	if !telling {
		return nil
	}
	return r.stream.SendMsg(&streams.ReadResp{Content: &streams.ReadResp_LastStreamPosition{LastStreamPosition: uint64(stream.Last)}})
}

// tellFirst says where reading really begins, to a client that asks for what is
// hidden or has not happened.
func (r *reader) tellFirst(s journal.Stream, from uint64) error {
	first := uint64(s.First)
	switch {
	case from > uint64(s.Last):
		first = uint64(s.Last) + 1
	case from >= first:
		return nil
	}
	return r.stream.SendMsg(&streams.ReadResp{Content: &streams.ReadResp_FirstStreamPosition{FirstStreamPosition: first}})
}

// Each reader holds one page while it sends it, as slowly as its client takes
// it. The more readers there are, the smaller their pages; where large events
// make pages larger than that, readers wait for one another.
const (
	sharedPages  = 32 << 20 // of which each reader takes its share
	pageMemory   = 160 << 20
	maxPageBytes = 512 << 10
	minPageBytes = 4 << 10
)

func (r *reader) limit() journal.Limit {
	share := sharedPages / int(max(r.service.readers.Load(), 1))
	return journal.Limit{Records: r.left, Bytes: min(max(share, minPageBytes), maxPageBytes)}
}

// page reads a page and has it used, within the memory that there is for pages.
// A page whose events turn out larger than allowed for is read once more when
// there is room for it.
func (r *reader) page(read func(journal.Limit) (journal.Page, error), use func(journal.Page) error) error {
	limit := r.limit()
	for room := limit.Bytes; ; {
		if err := r.service.memory.Acquire(r.ctx, int64(room)); err != nil {
			return err
		}
		page, err := read(limit)
		if err == nil && page.Bytes <= max(room, 2*limit.Bytes) {
			err = use(page)
		}
		r.service.memory.Release(int64(room))
		if err != nil || page.Bytes <= max(room, 2*limit.Bytes) {
			return err
		}
		room = min(page.Bytes, pageMemory)
	}
}

func (r *reader) sendAll(page journal.Page) error {
	for i := range page.Records {
		if err := r.send(&page.Records[i]); err != nil {
			return err
		}
	}
	return nil
}

// send sends one event, with the event that it links to where the client wants
// links resolved. A link whose target has gone is sent without an event.
func (r *reader) send(record *journal.Record) error {
	m := &eventMessage{record: record, textID: r.textID}
	if r.links {
		var err error
		if m.record, m.link, err = followLink(r.service.journal, record); err != nil {
			return err
		}
	}
	r.left--
	return r.stream.SendMsg(m)
}

// linkType is the type of an event that stands for another one.
const linkType = "$>"

// parseLink reads a link's data, which is revision@stream.
func parseLink(data []byte) (revision uint64, stream string, ok bool) {
	number, name, ok := bytes.Cut(data, []byte("@"))
	n, err := strconv.ParseInt(string(number), 10, 64)
	return uint64(n), string(name), ok && err == nil && n >= 0
}

// followLink returns what a record leads to and, where it is a link, the record
// itself beside that. What has gone is nil.
func followLink(j *journal.Journal, record *journal.Record) (target, link *journal.Record, err error) {
	if string(record.Type) != linkType {
		return record, nil, nil
	}
	revision, stream, ok := parseLink(record.Data)
	if !ok {
		return record, nil, nil
	}
	found, err := j.At(stream, revision)
	var gone *journal.StreamDeleted
	if errors.Is(err, journal.ErrNoStream) || errors.As(err, &gone) {
		return nil, record, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return &found, record, nil
}
