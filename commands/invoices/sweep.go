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
)

// Sweeper finishes what was interrupted between two streams: a frozen invoice
// without its number, a payment that was not settled, a credit note whose
// surplus is not on the account. It reads the log from the start, beside
// whatever else goes on, and several instances of it do no harm.
type Sweeper struct {
	Room   *commands.Room
	Client *eventstore.Client
	Logger *slog.Logger
	// Every is the time between two sweeps, Patience how long something may be
	// under way before it counts as interrupted; 30 s and 10 s by default.
	Every, Patience time.Duration

	pending map[string]unfinished // by stream; credit notes by their id
}

// unfinished is a first step without its last.
type unfinished struct {
	kind     string // type of the first step's event
	stream   string
	position eventstore.Position
	seen     time.Time // when the log took it
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
// ends. A log that is away is waited for.
func (s *Sweeper) Run(ctx context.Context) error {
	every, patience := s.Every, s.Patience
	if every <= 0 {
		every, patience = 30*time.Second, 10*time.Second
	}
	s.pending = make(map[string]unfinished)
	types := strings.Join([]string{typeFrozen, typeIssued, typeRecorded, typeAllocated, typeCredited, typeNoted, typeAccount}, "|")
	subscription := s.Client.Subscribe(ctx, eventstore.SubscribeOptions{Filter: eventstore.TypeMatches("^(" + types + ")$")})
	defer subscription.Close()

	live, next := false, time.Time{}
	for ctx.Err() == nil {
		wait, cancel := context.WithTimeout(ctx, every)
		batch, err := subscription.NextBatch(wait, 4096)
		quiet := wait.Err() != nil
		cancel()
		if err != nil && !quiet && ctx.Err() == nil {
			return fmt.Errorf("invoices: sweeping: %w", err)
		}
		for _, notice := range batch {
			switch notice.Kind {
			case eventstore.EventAppeared:
				s.note(ctx, notice.Event)
			case eventstore.CaughtUp:
				live = true
			case eventstore.FellBehind:
				live = false
			case eventstore.CheckpointReached:
			}
		}
		if now := s.Room.Now(); live && !now.Before(next) {
			s.sweep(ctx, now.Add(-patience))
			next = now.Add(every)
		}
	}
	return nil
}

// note keeps what has begun and forgets what has ended.
func (s *Sweeper) note(ctx context.Context, e eventstore.Recorded) {
	u := unfinished{kind: e.Type, stream: e.Stream, position: e.Position, seen: e.Created}
	if err := errors.Join(json.Unmarshal(e.Metadata, &u.metadata), json.Unmarshal(e.Data, &u.data)); err != nil {
		s.Logger.ErrorContext(ctx, "an event cannot be read", "stream", e.Stream, "revision", e.Revision, "error", err)
		return
	}
	switch e.Type {
	case typeFrozen, typeRecorded:
		s.pending[e.Stream] = u
	case typeIssued, typeAllocated, typeCredited:
		delete(s.pending, e.Stream)
	case typeNoted:
		if u.data.Surplus.Amount > 0 {
			s.pending[u.data.CreditNoteID] = u
		}
	case typeAccount:
		delete(s.pending, u.data.SourceID)
	}
}

// sweep finishes what was begun before a moment. What fails stays for the next
// time.
func (s *Sweeper) sweep(ctx context.Context, before time.Time) {
	for key, u := range s.pending {
		if !u.seen.Before(before) {
			continue
		}
		if err := s.finish(ctx, u); err != nil {
			s.Logger.WarnContext(ctx, "an interrupted command could not be finished yet", "stream", u.stream, "error", err)
			continue
		}
		s.Logger.InfoContext(ctx, "an interrupted command was finished", "stream", u.stream, "first", u.kind)
		delete(s.pending, key)
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
