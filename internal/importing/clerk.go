package importing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"portal.example/commands/invoices"
	"portal.example/domain"
	"portal.example/domain/invoice"
	"portal.example/domain/invoice/register"
	"portal.example/eventstore"
)

// clerk takes numbers for many invoices at once. Every invoice of a business
// waits for its one register, where an append for each would be by far the
// slowest part of an import. The events are those that the invoices would have
// got one by one; only the append is shared.
type clerk struct {
	run    *run
	stream string

	mu      sync.Mutex
	waiting []*numbering

	// The rest belongs to whoever has the turn.
	turn  sync.Mutex
	state register.State
	taken map[uuid.UUID]int64 // by command, of all that the register holds
}

// numbering is an invoice that waits for its number.
type numbering struct {
	command eventstore.Metadata
	invoice string
	at      time.Time
	served  bool
	number  int64
	err     error
}

func newClerk(r *run) *clerk {
	return &clerk{run: r, stream: register.Stream(r.Business), taken: map[uuid.UUID]int64{}}
}

// number is the invoice's number, new or taken for it before. The first to get
// the turn serves all who wait.
func (c *clerk) number(ctx context.Context, m eventstore.Metadata, s invoice.State, at time.Time) (int64, error) {
	command, err := invoices.NumberCommand(c.run.room, m, s)
	if err != nil {
		return 0, err
	}
	n := &numbering{command: command, invoice: s.ID, at: at}
	c.mu.Lock()
	c.waiting = append(c.waiting, n)
	c.mu.Unlock()

	c.turn.Lock()
	defer c.turn.Unlock()
	if !n.served {
		c.mu.Lock()
		batch := c.waiting
		c.waiting = nil
		c.mu.Unlock()
		c.serve(ctx, batch)
	}
	return n.number, n.err
}

func (c *clerk) serve(ctx context.Context, batch []*numbering) {
	err := c.take(ctx, batch)
	for _, n := range batch {
		n.served, n.err = true, err
		n.number = c.taken[n.command.CommandID]
	}
}

// maxConflicts is how often others may take a number in the same moment.
const maxConflicts = 25

// take appends the numbers of all who have none yet, at the end of the register
// as it is known; where others were there first, it reads on.
func (c *clerk) take(ctx context.Context, batch []*numbering) error {
	var err error
	if c.state.Last == 0 {
		err = c.readOn(ctx) // perhaps a run before this one had taken some of them
	}
	for range maxConflicts {
		if err != nil {
			return err
		}
		var fresh []eventstore.Proposed
		state := c.state
		numbers := map[uuid.UUID]int64{}
		for _, n := range batch {
			if _, has := c.taken[n.command.CommandID]; has {
				continue
			}
			events, err := register.TakeNumber{InvoiceID: n.invoice, At: n.at}.Decide(state)
			if err != nil {
				return err
			}
			state = domain.Fold(state, events...)
			numbers[n.command.CommandID] = state.Last
			proposed, err := c.run.Codec.Encode(ctx, c.stream, n.command, events[0])
			if err != nil {
				return err
			}
			fresh = append(fresh, proposed...)
		}
		if len(fresh) == 0 {
			return nil
		}
		_, err = c.run.log.Append(ctx, c.stream, c.end(), fresh...)
		if err == nil {
			c.state = state
			for command, number := range numbers {
				c.taken[command] = number
			}
			return nil
		}
		if !errors.Is(err, eventstore.ErrWrongExpected) {
			return err
		}
		err = c.readOn(ctx)
	}
	return fmt.Errorf("taking %d invoice numbers: too many others are at it", len(batch))
}

// end is where the register ends, as far as the clerk has read it.
func (c *clerk) end() eventstore.Expected {
	if c.state.Last == 0 {
		return eventstore.NoStream()
	}
	return eventstore.Exactly(uint64(c.state.Last) - 1)
}

// readOn takes note of what has come to the register since: its nth event is
// number n.
func (c *clerk) readOn(ctx context.Context) error {
	for e, err := range c.run.log.ReadStream(ctx, c.stream, uint64(c.state.Last)) {
		if errors.Is(err, eventstore.ErrStreamNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		var m struct {
			CommandID uuid.UUID `json:"commandId"`
		}
		if err := json.Unmarshal(e.Metadata, &m); err != nil {
			return fmt.Errorf("metadata of event %d of %s: %w", e.Revision, c.stream, err)
		}
		c.state.Last = int64(e.Revision) + 1
		c.taken[m.CommandID] = c.state.Last
	}
	return nil
}
