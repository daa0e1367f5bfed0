package api

import (
	"context"
	"time"

	"portal.example/domain"
	"portal.example/eventstore"
)

// Principal is who sends a request, as its token proves. Nothing in it comes
// from what the request claims.
type Principal struct {
	Business string // id of the one business that the token is good for
	Kind     Kind
	Role     Role
	ActorID  string // of the contact, or of the member of staff

	CustomerID string // of KindCustomer, as is ContactID
	ContactID  string

	SessionID  string
	SignedInBy string // how, in the words of eventstore.Session.Method
	SignedInAt time.Time
}

// Kind is which side of the counter somebody is on.
type Kind string

// The kinds of principal.
const (
	KindStaff    Kind = "staff"
	KindCustomer Kind = "customer"
)

// Role is what somebody may do at their business.
type Role string

// The roles. All of staff may read everything; analysts and auditors nothing
// else. What a customer's contact may do is up to their rights.
const (
	Owner      Role = "owner"
	Office     Role = "office"
	Technician Role = "technician"
	Analyst    Role = "analyst"
	Auditor    Role = "auditor"
	Customer   Role = "customer"
)

// Roles are all roles, as an operator may name them.
var Roles = []Role{Owner, Office, Technician, Analyst, Auditor, Customer}

// Kind is the side that the role is on.
func (r Role) Kind() Kind {
	if r == Customer {
		return KindCustomer
	}
	return KindStaff
}

// IsCustomer says whether only one customer's records may be seen.
func (p Principal) IsCustomer() bool { return p.Kind == KindCustomer }

// Actor is the principal as decisions know it.
func (p Principal) Actor() domain.Actor {
	if p.IsCustomer() {
		return domain.Actor{Kind: domain.Contact, ID: p.ActorID}
	}
	return domain.Actor{Kind: domain.Staff, ID: p.ActorID}
}

// LogActor is the principal as the log's metadata know it.
func (p Principal) LogActor() eventstore.Actor {
	actor := p.Actor()
	return eventstore.Actor{Kind: eventstore.ActorKind(actor.Kind), ID: actor.ID, ActingFor: actor.ActingFor}
}

type contextKey int

const (
	principalKey contextKey = iota
	originKey
)

// PrincipalFrom is who sent the request. It is false on routes that need no
// token.
func PrincipalFrom(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(principalKey).(Principal)
	return p, ok
}

// WithPrincipal says who sends the requests of this context.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey, p)
}
