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
	for page := (journal.Page{Next: from}); !missing && from != math.MaxUint64 && !page.End; {
		if page, err = r.service.journal.StreamForwards(r.ctx, stream, page.Next, r.limit()); err != nil {
			return err
		}
		for i := range page.Records {
			if err := r.send(&page.Records[i]); err != nil {
				return err
			}
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

	live, considered := false, uint64(0)
	told := after // what the last checkpoint said
	checkpoint := func(position uint64) error {
		if position <= told {
			return nil
		}
		told = position
		return r.stream.SendMsg(&streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{
			Checkpoint: &streams.ReadResp_Checkpoint{CommitPosition: position, PreparePosition: position},
		}})
	}
	for {
		page, err := r.service.journal.Forwards(ctx, after+1, r.limit())
		if err != nil {
			return r.leave(err)
		}
		if live && r.service.journal.Head()-after > fellBehindAfter {
			live = false
			if err := r.stream.SendMsg(&streams.ReadResp{Content: &streams.ReadResp_FellBehind_{FellBehind: &streams.ReadResp_FellBehind{}}}); err != nil {
				return err
			}
		}
		for i := range page.Records {
			record := &page.Records[i]
			admitted, err := admits(record)
			if err != nil {
				return err
			}
			if admitted {
				if err := r.send(record); err != nil {
					return err
				}
			}
			after = record.Position
			if considered++; r.filter.active && considered%r.filter.every == 0 {
				if err := checkpoint(after); err != nil {
					return err
				}
			}
		}
		if !page.End {
			continue
		}
		if !live {
			live = true
			if r.filter.active { // what it saw last may lie far back
				if err := checkpoint(after); err != nil {
					return err
				}
			}
			if err := r.stream.SendMsg(&streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}}); err != nil {
				return err
			}
		}
		if err := r.service.journal.Wait(ctx, after); err != nil {
			return r.leave(err)
		}
	}
}

// leave tells a stopping node from a client that went.
func (r *reader) leave(err error) error {
	if r.service.alive.Err() != nil {
		return errStopping
	}
	return err
}
