package compare

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"portal.example/eventstore"
	"portal.example/projections/runner"
)

// Log is what is asked for events: an eventstore.Client.
type Log interface {
	ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[eventstore.Recorded, error]
	ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Recorded, error]
}

// ErrTooMany says that more events would have to be looked at than is allowed.
var ErrTooMany = errors.New("compare: too many events")

// gatherer finds the events that may be behind a row.
type gatherer struct {
	log         Log
	codec       *eventstore.Codec
	limits      Limits
	projections []runner.Projection // that want the events
}

// wanted is what to look for: rows of one business, and how far.
type wanted struct {
	business string
	rows     []Row
	until    int64 // commit position of the last event that changed one of the rows
}

// scopes are where to look, the narrowest first.
var scopes = []string{ScopeStream, ScopeRecords, ScopeBusiness}

// gather returns the events of the scope that the projections want, in the order
// of the log.
func (g *gatherer) gather(ctx context.Context, scope string, w wanted) (History, error) {
	var records []eventstore.Recorded
	take := func(e eventstore.Recorded) error {
		if !g.wants(e.Type) {
			return nil
		}
		if len(records) == g.limits.Events {
			return fmt.Errorf("%w: more than %d", ErrTooMany, g.limits.Events)
		}
		records = append(records, e)
		return nil
	}
	var err error
	if scope == ScopeBusiness {
		err = g.readAll(ctx, w, take)
	} else {
		err = g.readStreams(ctx, w, scope == ScopeRecords, take)
	}
	if err != nil {
		return History{}, err
	}
	slices.SortStableFunc(records, func(a, b eventstore.Recorded) int {
		// An older EventStoreDB does not tell a stream's reader the position.
		return cmp.Or(a.Position.Compare(b.Position), a.Created.Compare(b.Created))
	})
	return g.decode(ctx, records, w.business)
}

func (g *gatherer) wants(eventType string) bool {
	return slices.ContainsFunc(g.projections, func(p runner.Projection) bool { return wants(p, eventType) })
}

func wants(p runner.Projection, eventType string) bool {
	types := p.Types()
	return len(types) == 0 && !strings.HasPrefix(eventType, "$") || slices.Contains(types, eventType)
}

// readStreams reads the streams that the rows name: the one that each was
// changed by last and, where asked, those of the ids in it: quote_id is the id
// of a stream of category quote.
func (g *gatherer) readStreams(ctx context.Context, w wanted, ofIDs bool, take func(eventstore.Recorded) error) error {
	streams := make(map[string]bool)
	for _, row := range w.rows {
		streams[textOf(row["_stream"])] = true
		for name, value := range row {
			if category, isID := strings.CutSuffix(name, "_id"); isID && ofIDs && textOf(value) != "" {
				streams[category+"-"+textOf(value)] = true
			}
		}
	}
	delete(streams, "")
	for stream := range streams {
		err := readUntil(g.log.ReadStream(ctx, stream, 0), w.until, take)
		if err != nil && !errors.Is(err, eventstore.ErrStreamNotFound) && !errors.Is(err, eventstore.ErrStreamDeleted) {
			return err
		}
	}
	return nil
}

func (g *gatherer) readAll(ctx context.Context, w wanted, take func(eventstore.Recorded) error) error {
	scanned := 0
	return readUntil(g.log.ReadAll(ctx, eventstore.Start()), w.until, func(e eventstore.Recorded) error {
		if scanned++; scanned > g.limits.Scan {
			return fmt.Errorf("%w: the log has more than %d before the row", ErrTooMany, g.limits.Scan)
		}
		// Exact below, when the metadata has been decoded.
		if !strings.Contains(string(e.Metadata), w.business) {
			return nil
		}
		return take(e)
	})
}

func readUntil(events iter.Seq2[eventstore.Recorded, error], until int64, take func(eventstore.Recorded) error) error {
	for e, err := range events {
		if err != nil {
			return err
		}
		if e.Position.Commit > uint64(max(until, 0)) {
			return nil
		}
		if err := take(e); err != nil {
			return err
		}
	}
	return nil
}

// decode understands the events, with personal fields only where a projection
// makes something of them, and leaves out those of other businesses.
func (g *gatherer) decode(ctx context.Context, records []eventstore.Recorded, business string) (History, error) {
	h := History{Sealed: g.codec.DecodeSealed(records)}
	h.Events = h.Sealed
	if slices.ContainsFunc(g.projections, func(p runner.Projection) bool { return !isSealed(p) }) {
		var err error
		if h.Events, err = g.codec.DecodeBatch(ctx, records); err != nil {
			return History{}, err
		}
	}
	others := make(map[int]bool)
	for i := range h.Sealed {
		if h.Sealed[i].Metadata.Business != business {
			others[i] = true
		}
	}
	return History{Events: except(h.Events, others), Sealed: except(h.Sealed, others)}, nil
}

func isSealed(p runner.Projection) bool {
	_, sealed := p.(runner.Sealed)
	return sealed
}
