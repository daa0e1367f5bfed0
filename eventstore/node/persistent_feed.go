package node

import (
	"bytes"
	"context"
	"errors"
	"math"

	"portal.example/eventstore/node/group"
	"portal.example/eventstore/node/journal"
)

// feed reads what a group works through: $all, or one stream. A stream is read
// by its index up to its end, and then by following the log, which costs less
// than looking for the stream's end each time that anything is appended.
type feed struct {
	journal *journal.Journal
	stream  string
	filter  filter
	links   bool
	bytes   int // of events, that may be read in one go

	next      uint64 // place of the next event: a revision, or a position in $all
	window    uint64 // how many events of $all to look at in one go
	following bool   // the stream's end was reached
	after     uint64 // then: everything up to this position has been looked at
}

// maxWindow bounds the events looked at in one go when few are for the group.
const maxWindow = 1024

// read hands some events to the group, at most room, and tells whether there
// are more.
func (f *feed) read(ctx context.Context, room int, g *group.Group) (more bool, err error) {
	switch {
	case f.stream == allStream:
		return f.readAll(ctx, room, g)
	case f.following:
		return f.follow(ctx, room, g)
	default:
		return f.readStream(ctx, room, g)
	}
}

// rest is for a group that takes nothing: the log may move far before it does
// again.
func (f *feed) rest() { f.following = false }

// live tells whether there was nothing more to read.
func (f *feed) live() bool { return f.following || f.stream == allStream && f.next > f.journal.Head() }

func (f *feed) readAll(ctx context.Context, room int, g *group.Group) (more bool, err error) {
	f.window = max(f.window, uint64(room))
	page, err := f.journal.Forwards(ctx, f.next, journal.Limit{Records: f.window, Bytes: f.bytes})
	if err != nil {
		return false, err
	}
	left := room
	for i := range page.Records {
		if left == 0 {
			f.window = uint64(room)
			return true, nil
		}
		record := &page.Records[i]
		f.next = record.Position + 1
		switch {
		case ownTrace(record):
		case f.filter.admits(record):
			left--
			if err := f.hand(record, record.Position, g); err != nil {
				return false, err
			}
		default:
			g.Pass(record.Position)
		}
	}
	if left == room {
		f.window = min(2*f.window, maxWindow)
	}
	return !page.End, nil
}

// ownTrace tells events that groups of $all leave in the log. They are shown to
// no such group, and do not count: each would be a reason for another.
func ownTrace(r *journal.Record) bool {
	return bytes.HasPrefix(r.Stream, []byte("$persistentsubscription-$all::")) &&
		(bytes.HasSuffix(r.Stream, []byte("-checkpoint")) || bytes.HasSuffix(r.Stream, []byte("-parked")))
}

func (f *feed) readStream(ctx context.Context, room int, g *group.Group) (more bool, err error) {
	head := f.journal.Head() // what is after it is followed, where the stream does not have it already
	stream, err := f.journal.Stream(f.stream)
	var deleted *journal.StreamDeleted
	if errors.Is(err, journal.ErrNoStream) || errors.As(err, &deleted) {
		f.following, f.after = true, head
		return false, nil
	}
	if err != nil {
		return false, err
	}
	page, err := f.journal.StreamForwards(ctx, stream, f.next, journal.Limit{Records: uint64(room), Bytes: f.bytes})
	if err != nil {
		return false, err
	}
	for i := range page.Records {
		record := &page.Records[i]
		f.next = record.Revision + 1
		if err := f.hand(record, record.Revision, g); err != nil {
			return false, err
		}
	}
	if page.End {
		f.following, f.after = true, head
		return f.journal.Head() > head, nil
	}
	f.next = page.Next
	return true, nil
}

func (f *feed) follow(ctx context.Context, room int, g *group.Group) (more bool, err error) {
	page, err := f.journal.Forwards(ctx, f.after+1, journal.Limit{Records: maxWindow, Bytes: f.bytes})
	if err != nil {
		return false, err
	}
	for i := range page.Records {
		record := &page.Records[i]
		if room == 0 {
			return true, nil
		}
		f.after = record.Position
		if string(record.Stream) != f.stream || record.Revision < f.next || record.Revision == math.MaxInt64 {
			continue
		}
		room--
		f.next = record.Revision + 1
		if err := f.hand(record, record.Revision, g); err != nil {
			return false, err
		}
	}
	return !page.End, nil
}

// hand gives the group a copy of an event: the page that it stands in would stay
// in memory with it, and few events of a page may be for the group.
func (f *feed) hand(record *journal.Record, place uint64, g *group.Group) error {
	e := group.Event{Record: cloned(record)}
	if f.links {
		var err error
		if e, err = resolved(f.journal, e.Record); err != nil {
			return err
		}
	}
	g.Add(e, place)
	return nil
}

func cloned(r *journal.Record) *journal.Record {
	c := *r
	bytes := make([]byte, 0, len(r.Stream)+len(r.Type)+len(r.Metadata)+len(r.Data))
	for _, field := range []*[]byte{&c.Stream, &c.Type, &c.Metadata, &c.Data} {
		start := len(bytes)
		bytes = append(bytes, *field...)
		*field = bytes[start:len(bytes):len(bytes)]
	}
	return &c
}

// resolved follows a record that is a link.
func resolved(j *journal.Journal, record *journal.Record) (group.Event, error) {
	target, link, err := followLink(j, record)
	return group.Event{Record: target, Link: link}, err
}

// parkedFeed is a group's parked messages: how many there are, and which of
// them are to be handed out again.
type parkedFeed struct {
	journal *journal.Journal
	stream  string
	bytes   int // of links, that may be read in one go

	end       uint64 // revision after the last one
	next      uint64 // revision of the next one to hand out
	until     uint64 // hand out those before this revision
	truncated uint64 // those before this revision have gone
}

func openParked(j *journal.Journal, key groupKey) (*parkedFeed, error) {
	p := &parkedFeed{journal: j, stream: parkedStream(key)}
	s, err := j.Stream(p.stream)
	var deleted *journal.StreamDeleted
	if errors.Is(err, journal.ErrNoStream) || errors.As(err, &deleted) {
		return p, nil
	}
	if err == nil {
		p.end, p.next = uint64(s.Last)+1, uint64(s.First)
		p.until, p.truncated = p.next, p.next
	}
	return p, err
}

// parked says that links were written, the last one at a revision. Where there
// were none before, the first need not be 0: a stream that was deleted goes on
// counting.
func (p *parkedFeed) parked(last int64, links int) {
	if first := uint64(last) + 1 - uint64(links); p.end == 0 {
		p.next, p.until, p.truncated = first, first, first
	}
	p.end = uint64(last) + 1
}

func (p *parkedFeed) replay(stopAt uint64) { p.until = max(p.until, min(stopAt, p.end)) }

func (p *parkedFeed) replaying() bool { return p.next < p.until }

// count is how many messages are parked and not being handed out. Others may have
// cut the stream off, or deleted it.
func (p *parkedFeed) count() uint64 {
	next := p.next
	s, err := p.journal.Stream(p.stream)
	var deleted *journal.StreamDeleted
	switch {
	case errors.Is(err, journal.ErrNoStream), errors.As(err, &deleted):
		return 0
	case err == nil: // where it cannot be read, whoever reads the messages is told
		next = max(next, uint64(s.First))
	}
	return p.end - min(next, p.end)
}

func (p *parkedFeed) read(ctx context.Context, room int, g *group.Group) error {
	s, err := p.journal.Stream(p.stream)
	var deleted *journal.StreamDeleted
	if errors.Is(err, journal.ErrNoStream) || errors.As(err, &deleted) {
		p.next = p.until // somebody has deleted it
		return nil
	}
	if err != nil {
		return err
	}
	page, err := p.journal.StreamForwards(ctx, s, p.next, journal.Limit{Records: uint64(room), Bytes: p.bytes})
	if err != nil {
		return err
	}
	for i := range page.Records {
		record := &page.Records[i]
		if record.Revision >= p.until {
			return nil
		}
		e, err := resolved(p.journal, cloned(record))
		if err != nil {
			return err
		}
		g.Replay(e, record.Revision)
		p.next = record.Revision + 1
	}
	if page.End {
		p.next = p.until // what is missing was truncated by somebody
	} else {
		p.next = min(max(p.next, page.Next), p.until) // or is too old to be shown
	}
	return nil
}
