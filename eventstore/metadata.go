package eventstore

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Metadata is the envelope of an event: who did what, for whom, from where, how
// they had signed in, and which command it was. The JSON names are storage;
// those with a dollar sign are EventStoreDB's own.
type Metadata struct {
	// CorrelationID is shared by everything that follows from one first cause;
	// CausationID is the event that a reaction answers. Both default to the
	// command, which is its own first cause when a person gives it.
	CorrelationID uuid.UUID `json:"$correlationId"`
	CausationID   uuid.UUID `json:"$causationId"`

	CommandID   uuid.UUID   `json:"commandId"`   // see CommandID
	Fingerprint Fingerprint `json:"fingerprint"` // of the request
	Business    string      `json:"business"`
	Operation   string      `json:"operation"` // stable name of the use case, such as quotes.approve

	Actor     Actor   `json:"actor"`
	Session   Session `json:"session,omitzero"`
	IP        string  `json:"ip,omitempty" personal:"Actor.ID"`
	UserAgent string  `json:"userAgent,omitempty" personal:"Actor.ID"`

	Schema     int       `json:"schema"` // version of the event type, set by the codec
	Origin     Origin    `json:"origin"`
	RecordedAt time.Time `json:"recordedAt"`          // when the portal took the command, UTC
	OccurredAt time.Time `json:"occurredAt,omitzero"` // when it happened, where that differs
}

// Actor is who acts. ID is their id at the business, and the subject under
// whose key their address, IP and user agent are sealed; the system has none.
type Actor struct {
	Kind      ActorKind `json:"kind"`
	ID        string    `json:"id,omitempty"`
	ActingFor string    `json:"actingFor,omitempty"` // the contact, where Kind is ActorStaffAsContact
}

// ActorKind keeps apart what must never be mistaken for one another: above all
// a customer, and a member of staff who sees the portal as that customer does.
type ActorKind string

// The kinds of actor. The strings are storage.
const (
	ActorContact        ActorKind = "contact"
	ActorStaff          ActorKind = "staff"
	ActorStaffAsContact ActorKind = "staff-as-contact"
	ActorIntegration    ActorKind = "integration"
	ActorSystem         ActorKind = "system"
)

// Session is how the actor had signed in.
type Session struct {
	ID      string    `json:"id"`
	Method  string    `json:"method"`            // such as code, magic-link, password, passkey, oidc, api-key
	At      time.Time `json:"at"`                // when they signed in, UTC
	Channel string    `json:"channel,omitempty"` // the verified channel: email, sms
	Address string    `json:"address,omitempty" personal:"Actor.ID"`
}

// Origin tells what happens now from what is brought in from elsewhere;
// reactions let imported events be.
type Origin string

// The origins. The strings are storage.
const (
	OriginLive   Origin = "live"
	OriginImport Origin = "import"
)

// complete fills what can be derived, in one form whatever the caller's clock
// and zone, and reports what is missing.
func (m Metadata) complete() (Metadata, error) {
	if m.CorrelationID == uuid.Nil {
		m.CorrelationID = m.CommandID
	}
	if m.CausationID == uuid.Nil {
		m.CausationID = m.CommandID
	}
	// UTC also drops the monotonic clock, which would not survive storage.
	m.RecordedAt = m.RecordedAt.UTC()
	m.OccurredAt = m.OccurredAt.UTC()
	m.Session.At = m.Session.At.UTC()
	return m, m.check()
}

func (m Metadata) check() error {
	switch {
	case m.CommandID == uuid.Nil:
		return errors.New("eventstore: metadata without a command id")
	case m.Business == "":
		return errors.New("eventstore: metadata without a business")
	case m.Operation == "":
		return errors.New("eventstore: metadata without an operation")
	case m.RecordedAt.IsZero():
		return errors.New("eventstore: metadata without the moment of recording")
	case m.Origin != OriginLive && m.Origin != OriginImport:
		return fmt.Errorf("eventstore: metadata of unknown origin %q", m.Origin)
	}
	return m.Actor.check()
}

func (a Actor) check() error {
	switch a.Kind {
	case ActorSystem:
		return nil
	case ActorContact, ActorStaff, ActorIntegration, ActorStaffAsContact:
	default:
		return fmt.Errorf("eventstore: unknown kind of actor %q", a.Kind)
	}
	if a.ID == "" {
		return fmt.Errorf("eventstore: an actor of kind %s without an id", a.Kind)
	}
	if (a.ActingFor != "") != (a.Kind == ActorStaffAsContact) {
		return fmt.Errorf("eventstore: actor of kind %s acting for %q", a.Kind, a.ActingFor)
	}
	return nil
}
