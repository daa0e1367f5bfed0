package commands

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"

	"github.com/google/uuid"

	"portal.example/domain"
	"portal.example/domain/customer"
	"portal.example/eventstore"
	"portal.example/internal/api"
)

// Room is what every use case works in.
type Room struct {
	*Store
	Secret []byte           // under which requests are fingerprinted, the same in all instances
	Now    func() time.Time // the clock
}

// Call is one request for a use case: who asks, under which id, and when.
type Call struct {
	Who      api.Principal
	By       domain.Actor
	Language string    // of whoever asks
	At       time.Time // when the portal took the request
	Metadata eventstore.Metadata

	rights customer.Rights // of a customer's contact
}

// What a caller can be refused for before any decision.
var (
	errNoPrincipal = &domain.Error{Kind: domain.Unauthenticated, Code: "token_missing", Message: "a token is needed"}
	// ErrRights refuses a contact what their rights do not include.
	ErrRights = &domain.Error{Kind: domain.Forbidden, Code: "rights_missing", Message: "the rights of this contact do not allow it"}
)

// Begin starts the call of a use case, whose name is storage: quotes.approve.
// Of a customer it looks up what their contact may do.
func (r *Room) Begin(ctx context.Context, operation string, key api.Idempotent) (Call, error) {
	who, ok := api.PrincipalFrom(ctx)
	if !ok {
		return Call{}, errNoPrincipal
	}
	call := Call{Who: who, By: who.Actor(), Language: domain.English, At: r.Now().UTC().Truncate(time.Microsecond)}
	var err error
	if call.Metadata, err = r.metadata(ctx, call, operation, key.KeyOrNew()); err != nil {
		return Call{}, err
	}
	if !who.IsCustomer() {
		return call, nil
	}
	state, err := Look(ctx, r.Customers, customer.Stream(who.CustomerID))
	if err != nil {
		return Call{}, err
	}
	contact, known := state.Contacts[who.ContactID]
	if !known || state.BusinessID != who.Business {
		return Call{}, ErrRights
	}
	call.rights, call.Language = contact.Rights, contact.Language
	return call, nil
}

func (r *Room) metadata(ctx context.Context, c Call, operation, key string) (eventstore.Metadata, error) {
	origin := api.OriginOf(ctx)
	actor := c.Who.LogActor()
	id, err := eventstore.CommandID(c.Who.Business, actor, operation, key)
	return eventstore.Metadata{
		CommandID:   id,
		Fingerprint: eventstore.NewFingerprint(r.Secret, []byte(origin.Method), []byte(origin.Path), origin.BodySum()),
		Business:    c.Who.Business,
		Operation:   operation,
		Actor:       actor,
		Session:     eventstore.Session{ID: c.Who.SessionID, Method: c.Who.SignedInBy, At: c.Who.SignedInAt},
		IP:          origin.IP,
		UserAgent:   origin.UserAgent,
		Origin:      eventstore.OriginLive,
		RecordedAt:  c.At,
	}, err
}

// NewID is the id of what the call brings into the world; a repeat makes the
// same one. A part of a record is named together with the record: one key may
// serve on two records, and their parts are not the same.
func (c Call) NewID(what string) string {
	return eventstore.NewID(c.Metadata.CommandID, what).String()
}

// Step is the envelope of a further step of the call, which is a command of its
// own.
func (c Call) Step(what string) eventstore.Metadata {
	return NextStep(c.Metadata, what)
}

// NextStep is the envelope of a command that follows from another.
func NextStep(m eventstore.Metadata, what string) eventstore.Metadata {
	if m.CorrelationID == uuid.Nil {
		m.CorrelationID = m.CommandID
	}
	m.CausationID = m.CommandID
	m.CommandID = eventstore.NewID(m.CommandID, what)
	return m
}

// Visit is the caller with a document before them.
func (c Call) Visit() domain.Visit {
	var salt [16]byte
	rand.Read(salt[:])
	return domain.Visit{
		By: c.By, Session: c.Who.SessionID, Language: c.Language, Salt: hex.EncodeToString(salt[:]), At: c.At,
	}
}
