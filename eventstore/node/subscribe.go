package node

import (
	"context"
	"errors"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"

	"portal.example/eventstore/node/journal"
)

// fellBehindAfter is how many events a live subscription may lag before its
// client is told that it fell behind.
const fellBehindAfter = 4096

// subscribeToAll sends every event after the given position, for ever.
func (r *reader) subscribeToAll(o *streams.ReadReq_Options_AllOptions) error {
	after := uint64(0)
	switch at := o.GetAllOption().(type) {
	case *streams.ReadReq_Options_AllOptions_Position:
		after = at.Position.GetCommitPosition()
	case *streams.ReadReq_Options_AllOptions_End:
		after = r.service.journal.Head()
	case *streams.ReadReq_Options_AllOptions_Start:
	default:
		return invalid("subscription to $all: neither a position, nor the start, nor the end")
	}
	if err := r.confirm(); err != nil {
		return err
	}
	after = min(after, math.MaxUint64-1) // so that there is a next one
	return r.follow(after, func(record *journal.Record) (bool, error) { return r.filter.admits(record), nil })
}

// subscribeToStream sends every event of a stream after the given revision: what
// is there from the stream itself, what comes later by following the log.
func (r *reader) subscribeToStream(name string, o *streams.ReadReq_Options_StreamOptions) error {
	head := r.service.journal.Head()
	from := uint64(0)
	switch at := o.GetRevisionOption().(type) {
	case *streams.ReadReq_Options_StreamOptions_Revision:
		from = min(at.Revision, math.MaxUint64-2) + 1
	case *streams.ReadReq_Options_StreamOptions_End:
		from = math.MaxUint64
	case *streams.ReadReq_Options_StreamOptions_Start:
	default:
		return invalid("subscription to a stream: neither a revision, nor the start, nor the end")
	}
	stream, err := r.service.journal.Stream(name)
	missing := errors.Is(err, journal.ErrNoStream)
	if err != nil && !missing {
		return err
	}
	if err := r.confirm(); err != nil {
		return err
	}
	seen := int64(-1)
	if !missing {
		seen = stream.Last
	}
	for end, next := missing || from == math.MaxUint64, from; !end; {
		err := r.page(func(limit journal.Limit) (journal.Page, error) {
			return r.service.journal.StreamForwards(r.ctx, stream, next, limit)
		}, func(page journal.Page) error {
			end, next = page.End, page.Next
			return r.sendAll(page)
		})
		if err != nil {
			return err
		}
	}
	return r.follow(head, func(record *journal.Record) (bool, error) {
		if string(record.Stream) != name || int64(record.Revision) <= seen {
			return false, nil // sent already where it came between the two looks
		}
		if record.Revision == math.MaxInt64 {
			return false, &journal.StreamDeleted{Stream: name}
		}
		return from == math.MaxUint64 || record.Revision >= from, nil
	})
}

// confirm is the first thing that a subscriber hears.
func (r *reader) confirm() error {
	return r.stream.SendMsg(&streams.ReadResp{Content: &streams.ReadResp_Confirmation{
		Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: uuid.NewString()},
	}})
}

// follow sends what the log has after the position, then what comes, until the
// client leaves or the node stops.
func (r *reader) follow(after uint64, admits func(*journal.Record) (bool, error)) error {
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	defer context.AfterFunc(r.service.alive, cancel)()
	r.ctx = ctx

	f := &follower{reader: r, admits: admits, after: after, told: after}
	for {
		err := r.page(func(limit journal.Limit) (journal.Page, error) {
			return r.service.journal.Forwards(ctx, f.after+1, limit)
		}, f.deliver)
		if err == nil && f.live {
			err = r.service.journal.Wait(ctx, f.after)
		}
		switch {
		case err != nil && r.service.alive.Err() != nil:
			return errStopping
		case err != nil:
			return err
		}
	}
}

// follower is a subscription's place in the log.
type follower struct {
	*reader
	admits     func(*journal.Record) (bool, error)
	after      uint64 // everything up to here has been considered
	told       uint64 // what the last checkpoint said
	considered uint64 // events, since the beginning
	live       bool   // the client has been told that it has caught up
}

func (f *follower) deliver(page journal.Page) error {
	if f.live && f.service.journal.Head()-f.after > fellBehindAfter {
		f.live = false
		if err := f.stream.SendMsg(&streams.ReadResp{Content: &streams.ReadResp_FellBehind_{FellBehind: &streams.ReadResp_FellBehind{}}}); err != nil {
			return err
		}
	}
	for i := range page.Records {
		if err := f.consider(&page.Records[i]); err != nil {
			return err
		}
	}
	if !page.End || f.live {
		return nil
	}
	f.live = true
	if err := f.checkpoint(); err != nil {
		return err
	}
	return f.stream.SendMsg(&streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}})
}

func (f *follower) consider(record *journal.Record) error {
	admitted, err := f.admits(record)
	if err != nil {
		return err
	}
	if admitted {
		if err := f.send(record); err != nil {
			return err
		}
	}
	f.after = record.Position
	if f.considered++; f.filter.active && f.considered%f.filter.every == 0 {
		return f.checkpoint()
	}
	return nil
}

// checkpoint tells a filtered subscriber how far it has come, since what it saw
// last may lie far back.
func (f *follower) checkpoint() error {
	if !f.filter.active || f.after <= f.told {
		return nil
	}
	f.told = f.after
	return f.stream.SendMsg(&streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{
		Checkpoint: &streams.ReadResp_Checkpoint{CommitPosition: f.after, PreparePosition: f.after},
	}})
}
