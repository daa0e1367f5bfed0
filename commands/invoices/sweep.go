package invoices

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"

	"portal.example/commands"
	"portal.example/domain/invoice"
	"portal.example/domain/money"
	"portal.example/eventstore"
	"portal.example/internal/bookmark"
)

// Sweeper finishes what was interrupted between two streams: a frozen invoice
// without its number, a payment that was not settled, a credit note whose
// surplus is not on the account. It follows the log beside whatever else goes
// on, and several instances of it do no harm.
//
// Its bookmark stands before the first step of everything that is unfinished, so
// that what is behind the bookmark needs no second look.
type Sweeper struct {
	Room   *commands.Room
	Client *eventstore.Client
	Logger *slog.Logger
	// Bookmark, where set, spares a start the log from before. Subscribe, where
	// set, is used in the place of Client.Subscribe, such as for a log that is in
	// the same process.
	Bookmark  *bookmark.Bookmark
	Subscribe func(context.Context, eventstore.SubscribeOptions) eventstore.Source
	// Every is the time between two sweeps, Patience how long something may be
	// under way before it counts as interrupted; 30 s and 10 s by default.
	Every, Patience time.Duration
}

// sweeping is a sweeper at work.
type sweeping struct {
	*Sweeper
	pending map[string]unfinished // by stream; credit notes by their id
	last    bookmark.Place        // how far the log has been read
	marked  bookmark.Place        // where the bookmark is
	unread  bool                  // something could not be read, and the bookmark stays before it
}

// unfinished is a first step without its last.
type unfinished struct {
	kind     string // type of the first step's event
	stream   string
	before   bookmark.Place // the event that was read before it
	seen     time.Time      // when the log took it
	metadata envelope
	data     facts
}

// envelope and facts are what the sweeper reads of an event. Nothing in them is
// personal, so that going through a long history asks for no keys.
type envelope struct {
	CorrelationID uuid.UUID         `json:"$correlationId"`
	CommandID     uuid.UUID         `json:"commandId"`
	Business      string            `json:"business"`
	Origin        eventstore.Origin `json:"origin"`
	OccurredAt    time.Time         `json:"occurredAt"`
}

type facts struct {
	CustomerID   string      `json:"customerId"`
	CreditNoteID string      `json:"creditNoteId"`
	SourceID     string      `json:"sourceId"`
	Surplus      money.Money `json:"surplus"`
	At           time.Time   `json:"at"`
}

// The types of the events that begin and end what can be interrupted.
const (
	typeFrozen    = "InvoiceFrozen"
	typeIssued    = "InvoiceIssued"
	typeRecorded  = "PaymentRecorded"
	typeAllocated = "PaymentAllocated"
	typeCredited  = "PaymentCredited"
	typeNoted     = "InvoiceCreditNoteIssued"
	typeAccount   = "AccountCredited"
)

// Run sweeps once it knows the whole log, and then again and again, until ctx
// ends. A log that is away is waited for, and so is Postgres where there is a
// bookmark to be found.
func (s *Sweeper) Run(ctx context.Context) error {
	every, patience := s.Every, s.Patience
	if every <= 0 {
		every, patience = 30*time.Second, 10*time.Second
	}
	w := &sweeping{Sweeper: s, pending: make(map[string]unfinished)}
	if !w.begin(ctx, every) {
		return nil
	}
	source := w.subscribe(ctx)
	defer source.Close()

	live, next := false, time.Time{}
	for ctx.Err() == nil {
		wait, cancel := context.WithTimeout(ctx, every)
		batch, err := source.NextBatch(wait, 4096)
		quiet := wait.Err() != nil
		cancel()
		if err != nil && !quiet && ctx.Err() == nil {
			return fmt.Errorf("invoices: sweeping: %w", err)
		}
		for _, notice := range batch {
			switch notice.Kind {
			case eventstore.EventAppeared:
				w.note(ctx, notice.Event)
			case eventstore.CaughtUp:
				live = true
			case eventstore.FellBehind:
				live = false
			case eventstore.CheckpointReached:
			}
		}
		if now := s.Room.Now(); live && !now.Before(next) {
			w.sweep(ctx, now.Add(-patience))
			w.mark(ctx)
			next = now.Add(every)
		}
	}
	return nil
}

// begin finds the place to go on from. It is false when ctx ended before.
func (w *sweeping) begin(ctx context.Context, pause time.Duration) bool {
	for w.Bookmark != nil {
		place, err := w.Bookmark.Find(ctx, w.Client)
		if err == nil {
			w.last, w.marked = place, place
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		w.Logger.WarnContext(ctx, "looking for interrupted commands has to wait", "error", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (w *sweeping) subscribe(ctx context.Context) eventstore.Source {
	types := strings.Join([]string{typeFrozen, typeIssued, typeRecorded, typeAllocated, typeCredited, typeNoted, typeAccount}, "|")
	options := eventstore.SubscribeOptions{From: w.last.Position, Filter: eventstore.TypeMatches("^(" + types + ")$")}
	if w.Subscribe != nil {
		return w.Subscribe(ctx, options)
	}
	return w.Client.Subscribe(ctx, options)
}

// note keeps what has begun and forgets what has ended.
func (w *sweeping) note(ctx context.Context, e eventstore.Recorded) {
	u := unfinished{kind: e.Type, stream: e.Stream, before: w.last, seen: e.Created}
	if err := errors.Join(json.Unmarshal(e.Metadata, &u.metadata), json.Unmarshal(e.Data, &u.data)); err != nil {
		w.Logger.ErrorContext(ctx, "an event cannot be read", "stream", e.Stream, "revision", e.Revision, "error", err)
		w.unread = true
		return
	}
	if !w.unread {
		w.last = w.last.At(&e)
	}
	switch e.Type {
	case typeFrozen, typeRecorded:
		w.pending[e.Stream] = u
	case typeIssued, typeAllocated, typeCredited:
		delete(w.pending, e.Stream)
	case typeNoted:
		if u.data.Surplus.Amount > 0 {
			w.pending[u.data.CreditNoteID] = u
		}
	case typeAccount:
		delete(w.pending, u.data.SourceID)
	}
}

// mark moves the bookmark to just before the oldest thing that is unfinished, or
// to the last event where nothing is. Whatever begins behind it has ended: it
// had when the bookmark was found, or it has been seen, or made, to end since.
func (w *sweeping) mark(ctx context.Context) {
	place := w.last
	for _, u := range w.pending {
		if u.before.Position.Compare(place.Position) < 0 {
			place = u.before
		}
	}
	if w.Bookmark == nil || place.Position.Compare(w.marked.Position) <= 0 {
		return
	}
	err := w.Bookmark.Advance(ctx, place)
	if ctx.Err() != nil {
		return // stopping as asked: a little will be read again
	}
	if err != nil {
		w.Logger.WarnContext(ctx, "the next start will read more of the log than it needs to", "error", err)
		return
	}
	w.marked = place
}

// sweep finishes what was begun before a moment. What fails stays for the next
// time.
func (w *sweeping) sweep(ctx context.Context, before time.Time) {
	for key, u := range w.pending {
		if !u.seen.Before(before) {
			continue
		}
		if err := w.finish(ctx, u); err != nil {
			w.Logger.WarnContext(ctx, "an interrupted command could not be finished yet", "stream", u.stream, "error", err)
			continue
		}
		w.Logger.InfoContext(ctx, "an interrupted command was finished", "stream", u.stream, "first", u.kind)
		delete(w.pending, key)
	}
}

func (s *Sweeper) finish(ctx context.Context, u unfinished) error {
	m, err := s.Room.SystemCommand(u.metadata.Business, "invoices.finish", u.stream+"\x00"+u.data.CreditNoteID)
	if err != nil {
		return err
	}
	m.CorrelationID, m.CausationID = u.metadata.CorrelationID, u.metadata.CommandID
	m.Origin, m.OccurredAt = u.metadata.Origin, u.metadata.OccurredAt
	switch u.kind {
	case typeFrozen:
		state, err := commands.Look(ctx, s.Room.Invoices, u.stream)
		if err == nil && state.Status == invoice.StatusFrozen {
			_, err = Number(ctx, s.Room, m, state, u.data.At)
		}
		return err
	case typeRecorded:
		state, err := commands.Look(ctx, s.Room.Payments, u.stream)
		if err == nil && state.Unsettled().Amount > 0 {
			_, err = Settle(ctx, s.Room, m, state, u.data.At)
		}
		return err
	default:
		state, err := commands.Look(ctx, s.Room.Invoices, u.stream)
		if err != nil {
			return err
		}
		note := invoice.CreditNoteIssued{CreditNoteID: u.data.CreditNoteID, Surplus: u.data.Surplus, At: u.data.At}
		return giveCredit(ctx, s.Room, m, creditOf(state, note))
	}
}
