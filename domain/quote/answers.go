package quote

import (
	"fmt"
	"slices"
	"time"

	"portal.example/domain"
	"portal.example/domain/lines"
)

// What a customer's answer can be refused for.
var (
	ErrSuperseded = &domain.Error{Kind: domain.Conflict, Code: "quote_superseded", Message: "the offer has been replaced by a newer version"}
	ErrNoQuestion = &domain.Error{Kind: domain.NotFound, Code: "question_not_found", Message: "there is no such question"}
	ErrQuestions  = &domain.Error{Kind: domain.TooLarge, Code: "too_many_questions", Message: "the quote cannot take any more questions"}
)

// Superseded are the details of ErrSuperseded.
type Superseded struct {
	Version int      `json:"version"` // that was answered
	Current int      `json:"current"` // that the customer holds
	Changes []Change `json:"changes"` // from the one to the other
}

// Expiry are the details of ErrExpired when an answer came too late.
type Expiry struct {
	Version   int       `json:"version"`
	ExpiredAt time.Time `json:"expiredAt"`
}

const maxQuestions = 100 // on one quote

// answerable says whether a contact can answer a version now. It knows nothing
// of repeats, which come before it.
func (s State) answerable(version int, at time.Time) error {
	old, sent := s.Offers[version]
	switch {
	case version > s.Held || !sent:
		var check domain.Check
		check.Fail("version", "unknown_version", "must be a version that was sent")
		return check.Err()
	case version != s.Held:
		return ErrSuperseded.With(Superseded{
			Version: version, Current: s.Held, Changes: Changes(old, s.HeldOffer()),
		})
	case s.Status == StatusApproved:
		return ErrApproved
	case s.Status == StatusDeclined:
		return ErrDeclined
	case s.Expired(at):
		return ErrExpired.With(Expiry{Version: version, ExpiredAt: s.HeldOffer().ExpiresAt})
	}
	return nil
}

// AskQuestion asks the business about the offer. It can be asked at any time.
type AskQuestion struct {
	By         domain.Actor
	QuestionID string
	Version    int // that the question is about
	Text       string
	At         time.Time
}

// Decide takes a question once.
func (c AskQuestion) Decide(q State) ([]Event, error) {
	if err := domain.OnlyContact(c.By); err != nil {
		return nil, err
	}
	if q.Held == 0 {
		return nil, ErrNotFound
	}
	var check domain.Check
	check.ID("questionId", c.QuestionID)
	check.Prose("text", c.Text)
	if _, sent := q.Offers[c.Version]; !sent || c.Version > q.Held {
		check.Fail("version", "unknown_version", "must be a version that was sent")
	}
	if err := check.Err(); err != nil {
		return nil, err
	}
	if _, asked := q.Questions[c.QuestionID]; asked {
		return nil, nil
	}
	if len(q.Questions) >= maxQuestions {
		return nil, ErrQuestions
	}
	return []Event{QuestionAsked{
		CustomerID: q.CustomerID, ContactID: c.By.ID, QuestionID: c.QuestionID,
		Version: c.Version, Text: c.Text, At: c.At,
	}}, nil
}

// AnswerQuestion is staff's answer.
type AnswerQuestion struct {
	QuestionID string
	Text       string
	At         time.Time
}

// Decide takes any number of answers to a question.
func (c AnswerQuestion) Decide(q State) ([]Event, error) {
	if q.ID == "" {
		return nil, ErrNotFound
	}
	if _, asked := q.Questions[c.QuestionID]; !asked {
		return nil, ErrNoQuestion
	}
	var check domain.Check
	check.Prose("text", c.Text)
	if err := check.Err(); err != nil {
		return nil, err
	}
	return []Event{QuestionAnswered{
		CustomerID: q.CustomerID, QuestionID: c.QuestionID, Text: c.Text, At: c.At,
	}}, nil
}

// RequestChanges hands the offer back to be revised.
type RequestChanges struct {
	By      domain.Actor
	Version int
	Text    string
	At      time.Time
}

// Decide takes requests until the offer is decided or expired.
func (c RequestChanges) Decide(q State) ([]Event, error) {
	if err := domain.OnlyContact(c.By); err != nil {
		return nil, err
	}
	if q.Held == 0 {
		return nil, ErrNotFound
	}
	var check domain.Check
	check.Prose("text", c.Text)
	if err := check.Err(); err != nil {
		return nil, err
	}
	if err := q.answerable(c.Version, c.At); err != nil {
		return nil, err
	}
	return []Event{ChangesRequested{
		CustomerID: q.CustomerID, ContactID: c.By.ID, Version: c.Version, Text: c.Text, At: c.At,
	}}, nil
}

// Approve agrees to a version and signs it.
type Approve struct {
	Visit          domain.Visit
	Version        int
	Options        []string // ids of the optional lines taken
	SignedName     string
	ConsentVersion string
}

// Decide approves the version that the customer holds, before it expires, and
// refuses any other with what has changed.
func (c Approve) Decide(q State) ([]Event, error) {
	if err := domain.OnlyContact(c.Visit.By); err != nil {
		return nil, err
	}
	if q.Held == 0 {
		return nil, ErrNotFound
	}
	if err := c.check(q); err != nil {
		return nil, err
	}
	if q.Approval.ContactID == c.Visit.By.ID && q.Approval.Version == c.Version &&
		slices.Equal(q.Approval.Options, c.Options) {
		return nil, nil
	}
	if err := q.answerable(c.Version, c.Visit.At); err != nil {
		return nil, err
	}
	return c.approved(q)
}

func (c Approve) check(q State) error {
	var check domain.Check
	c.Visit.Check(&check)
	check.Line("signedName", c.SignedName, domain.MaxName)
	check.Line("consentVersion", c.ConsentVersion, 40)
	for i, id := range c.Options {
		optional := slices.ContainsFunc(q.Offers[c.Version].Lines, func(l lines.Line) bool {
			return l.ID == id && l.Optional
		})
		if !optional || slices.Contains(c.Options[:i], id) {
			check.Fail(fmt.Sprintf("options[%d]", i), "not_an_option", "must be the id of an optional line, once")
		}
	}
	return check.Err()
}

func (c Approve) approved(q State) ([]Event, error) {
	totals, err := q.HeldOffer().total(q.Currency, c.Options)
	if err != nil {
		return nil, err
	}
	shown, err := q.Shown()
	if err != nil {
		return nil, err
	}
	hash, err := domain.Hash(c.Visit.Salt, shown)
	if err != nil {
		return nil, err
	}
	return []Event{Approved{
		CustomerID: q.CustomerID, ContactID: c.Visit.By.ID, Session: c.Visit.Session, Version: c.Version,
		Options: slices.Clone(c.Options), Total: totals.Gross, Deposit: q.HeldOffer().Deposit,
		SignedName: c.SignedName, ConsentVersion: c.ConsentVersion, Language: c.Visit.Language,
		Schema: shown.Schema, Hash: hash, Salt: c.Visit.Salt, At: c.Visit.At,
	}}, nil
}

// Decline turns a version down.
type Decline struct {
	By      domain.Actor
	Version int
	Reason  string
	At      time.Time
}

// Decide declines the version that the customer holds.
func (c Decline) Decide(q State) ([]Event, error) {
	if err := domain.OnlyContact(c.By); err != nil {
		return nil, err
	}
	if q.Held == 0 {
		return nil, ErrNotFound
	}
	var check domain.Check
	check.Prose("reason", c.Reason)
	if err := check.Err(); err != nil {
		return nil, err
	}
	if err := q.answerable(c.Version, c.At); err != nil {
		return nil, err
	}
	return []Event{Declined{
		CustomerID: q.CustomerID, ContactID: c.By.ID, Version: c.Version, Reason: c.Reason, At: c.At,
	}}, nil
}
