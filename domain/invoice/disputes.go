package invoice

import (
	"slices"
	"time"

	"portal.example/domain"
)

// Dispute is the customer contesting the invoice.
type Dispute struct {
	ID       string
	Forum    Forum
	Opened   bool // false if only what came after is known
	Answered bool
	Decided  bool
	Outcome  Outcome
	Notified bool // the customer was told the outcome
}

func (d Dispute) open() bool { return !d.Decided && !d.Notified }

// Forum is who decides a dispute. Before the business itself its steps come in
// order. What an authority or a court sends is recorded as it arrives, in
// whatever order: letters cross, and some are never seen.
type Forum string

// The forums.
const (
	BeforeBusiness  Forum = "business"
	BeforeAuthority Forum = "authority"
	BeforeCourt     Forum = "court"
)

// Outcome is how a dispute ended.
type Outcome string

// The outcomes.
const (
	Upheld       Outcome = "upheld" // the customer was right
	PartlyUpheld Outcome = "partly-upheld"
	Rejected     Outcome = "rejected"
	Withdrawn    Outcome = "withdrawn"
	Unstated     Outcome = "unstated" // the history it is imported from does not say
)

// What a dispute can be refused for.
var (
	ErrNoDispute    = &domain.Error{Kind: domain.NotFound, Code: "dispute_not_found", Message: "there is no such dispute"}
	ErrDisputed     = &domain.Error{Kind: domain.Conflict, Code: "dispute_open", Message: "a dispute is open already"}
	ErrDecided      = &domain.Error{Kind: domain.Conflict, Code: "dispute_decided", Message: "the dispute has been decided"}
	ErrUndecided    = &domain.Error{Kind: domain.Conflict, Code: "dispute_undecided", Message: "the dispute has not been decided"}
	ErrOtherForum   = &domain.Error{Kind: domain.Conflict, Code: "dispute_elsewhere", Message: "the dispute is before another forum"}
	ErrNotByContact = &domain.Error{Kind: domain.Forbidden, Code: "not_by_contact", Message: "only the business records what another forum does"}
)

const maxDisputes = 20 // on one invoice

// OpenDispute contests the invoice: a contact before the business, in the
// portal; or staff, who record what the customer did elsewhere.
type OpenDispute struct {
	By        domain.Actor
	DisputeID string
	Forum     Forum
	Reason    string // a contact gives one
	At        time.Time
}

// Decide opens a dispute once, and one at a time before the business.
func (c OpenDispute) Decide(s State) ([]Event, error) {
	switch {
	case c.By.Kind == domain.StaffAsContact:
		return nil, domain.ErrOnlyContact
	case c.By.Kind == domain.Contact && c.Forum != BeforeBusiness:
		return nil, ErrNotByContact
	}
	dispute, known, err := s.disputable(c.DisputeID, c.Forum)
	if err != nil {
		return nil, err
	}
	opened := DisputeOpened{
		CustomerID: s.CustomerID, DisputeID: c.DisputeID, Forum: c.Forum, Reason: c.Reason, At: c.At,
	}
	var check domain.Check
	if c.By.Kind == domain.Contact {
		opened.ContactID = c.By.ID
		check.Prose("reason", c.Reason)
	} else {
		check.OptionalProse("reason", c.Reason)
	}
	if err := check.Err(); err != nil {
		return nil, err
	}
	switch {
	case dispute.Opened:
		return nil, nil
	case !known && c.Forum == BeforeBusiness && s.disputedBeforeBusiness():
		return nil, ErrDisputed
	}
	return []Event{opened}, nil
}

// disputable checks what all steps have in common and finds the dispute, if
// anything is known of it yet.
func (s State) disputable(id string, forum Forum) (dispute Dispute, known bool, err error) {
	if err := s.inForce(); err != nil {
		return Dispute{}, false, err
	}
	var check domain.Check
	check.ID("disputeId", id)
	domain.OneOf(&check, "forum", forum, BeforeBusiness, BeforeAuthority, BeforeCourt)
	if err := check.Err(); err != nil {
		return Dispute{}, false, err
	}
	i := s.disputeIndex(id)
	switch {
	case i < 0 && len(s.Disputes) >= maxDisputes:
		return Dispute{}, false, ErrTooMany
	case i < 0:
		return Dispute{}, false, nil
	case s.Disputes[i].Forum != forum:
		return Dispute{}, false, ErrOtherForum
	}
	return s.Disputes[i], true, nil
}

func (s State) disputedBeforeBusiness() bool {
	return slices.ContainsFunc(s.Disputes, func(d Dispute) bool {
		return d.Forum == BeforeBusiness && d.open()
	})
}

// AnswerDispute is the business's answer.
type AnswerDispute struct {
	DisputeID string
	Forum     Forum
	Text      string // the answer itself, where it is given in the portal
	At        time.Time
}

// Decide takes any number of answers, before the business only while the
// dispute is open.
func (c AnswerDispute) Decide(s State) ([]Event, error) {
	dispute, known, err := s.disputable(c.DisputeID, c.Forum)
	if err != nil {
		return nil, err
	}
	var check domain.Check
	if c.Forum == BeforeBusiness {
		check.Prose("text", c.Text)
	} else {
		check.OptionalProse("text", c.Text)
	}
	if err := check.Err(); err != nil {
		return nil, err
	}
	switch {
	case !known && c.Forum == BeforeBusiness:
		return nil, ErrNoDispute
	case dispute.Decided && c.Forum == BeforeBusiness:
		return nil, ErrDecided
	}
	return []Event{DisputeAnswered{
		CustomerID: s.CustomerID, DisputeID: c.DisputeID, Forum: c.Forum, Text: c.Text, At: c.At,
	}}, nil
}

// DecideDispute is the forum's decision, made or learnt of.
type DecideDispute struct {
	DisputeID string
	Forum     Forum
	Outcome   Outcome
	Text      string
	At        time.Time
}

// Decide takes one decision.
func (c DecideDispute) Decide(s State) ([]Event, error) {
	dispute, known, err := s.disputable(c.DisputeID, c.Forum)
	if err != nil {
		return nil, err
	}
	var check domain.Check
	if c.Forum == BeforeBusiness {
		domain.OneOf(&check, "outcome", c.Outcome, Upheld, PartlyUpheld, Rejected, Withdrawn)
	} else {
		domain.OneOf(&check, "outcome", c.Outcome, Upheld, PartlyUpheld, Rejected, Withdrawn, Unstated)
	}
	check.OptionalProse("text", c.Text)
	if err := check.Err(); err != nil {
		return nil, err
	}
	switch {
	case !known && c.Forum == BeforeBusiness:
		return nil, ErrNoDispute
	case dispute.Decided && dispute.Outcome == c.Outcome:
		return nil, nil
	case dispute.Decided:
		return nil, ErrDecided
	}
	return []Event{DisputeDecided{
		CustomerID: s.CustomerID, DisputeID: c.DisputeID, Forum: c.Forum, Outcome: c.Outcome, Text: c.Text, At: c.At,
	}}, nil
}

// NotifyDisputeOutcome says that the customer was told.
type NotifyDisputeOutcome struct {
	DisputeID string
	Forum     Forum
	At        time.Time
}

// Decide takes it once; the business tells no outcome of its own before there
// is one.
func (c NotifyDisputeOutcome) Decide(s State) ([]Event, error) {
	dispute, known, err := s.disputable(c.DisputeID, c.Forum)
	if err != nil {
		return nil, err
	}
	switch {
	case !known && c.Forum == BeforeBusiness:
		return nil, ErrNoDispute
	case dispute.Notified:
		return nil, nil
	case !dispute.Decided && c.Forum == BeforeBusiness:
		return nil, ErrUndecided
	}
	return []Event{DisputeOutcomeNotified{
		CustomerID: s.CustomerID, DisputeID: c.DisputeID, Forum: c.Forum, At: c.At,
	}}, nil
}
