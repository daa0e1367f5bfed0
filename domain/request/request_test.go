package request_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portal.example/domain"
	"portal.example/domain/domaintest"
	"portal.example/domain/request"
)

type (
	decision = domaintest.Case[request.State, request.Event]
	events   = []request.Event
)

var (
	at       = domaintest.Noon
	id       = domaintest.ID(1)
	business = domaintest.ID(2)
	customer = domaintest.ID(3)
	dana     = domaintest.Dana.ID
	desk     = request.Handler{StaffID: "Resource21", Team: "Group 1"}
)

func slot(days int) request.Slot {
	from := at.AddDate(0, 0, days)
	return request.Slot{From: from, Until: from.Add(2 * time.Hour)}
}

// filed came through the portal, atDesk did not.
func filed() request.Filed {
	return request.Filed{
		RequestID: id, BusinessID: business, CustomerID: customer, ContactID: dana,
		PropertyID: domaintest.ID(4), UnitID: domaintest.ID(5), Kind: request.Lead, Channel: "portal",
		Subject: "The boiler drips", Details: "Since Monday.", Slots: []request.Slot{slot(1), slot(2)}, At: at,
	}
}

func atDesk() request.Filed {
	return request.Filed{
		RequestID: id, BusinessID: business, CustomerID: customer, Kind: request.WorkOrder, Channel: "Desk",
		Reference: "case-10011", Subject: "Permit", Handler: desk, Deadline: at.AddDate(0, 2, 0), At: at,
	}
}

func askedBack() request.AskedBack {
	return request.AskedBack{CustomerID: customer, Question: "Which boiler?", At: at}
}

func replied() request.Replied {
	return request.Replied{CustomerID: customer, ContactID: dana, Text: "The old one.", At: at.Add(time.Hour)}
}

func accepted() request.Accepted {
	return request.Accepted{CustomerID: customer, Next: request.NextQuote, At: at}
}

func declined() request.Declined {
	return request.Declined{CustomerID: customer, Reason: "Too far.", At: at}
}

func triaged() request.Triaged {
	return request.Triaged{CustomerID: customer, Step: "T02 Check confirmation of receipt", Handler: desk, At: at}
}

func file(change func(*request.File)) request.File {
	e := filed()
	c := request.File{
		By: domaintest.Dana, RequestID: id, BusinessID: business, CustomerID: customer,
		PropertyID: e.PropertyID, UnitID: e.UnitID, Kind: request.Lead, Channel: "portal",
		Subject: e.Subject, Details: e.Details, Slots: e.Slots, At: at,
	}
	change(&c)
	return c
}

func TestFile(t *testing.T) {
	t.Parallel()
	takeIn := request.File{
		By: domain.Actor{Kind: domain.System}, RequestID: id, BusinessID: business, CustomerID: customer,
		Kind: request.WorkOrder, Channel: "Desk", Reference: "case-10011", Subject: "Permit",
		Handler: desk, Deadline: at.AddDate(0, 2, 0), At: at,
	}
	domaintest.Run(t, []decision{
		{Name: "in the portal", When: file(func(*request.File) {}), Then: events{filed()}},
		{Name: "at a desk", When: takeIn, Then: events{atDesk()}},
		{Name: "twice", Given: events{filed()}, When: file(func(*request.File) {}), Refused: request.ErrExists},
		{Name: "in the portal by staff", When: file(func(c *request.File) { c.By = domaintest.Sam }), Refused: domain.ErrOnlyContact},
		{
			Name:    "by staff as the contact",
			When:    file(func(c *request.File) { c.By, c.Channel = domaintest.AsDana, "Desk" }),
			Refused: domain.ErrOnlyContact,
		},
		{
			Name:   "at a desk by a contact",
			When:   file(func(c *request.File) { c.Channel = "Desk" }),
			Faults: []string{"channel: not_one_of"},
		},
		{
			Name:   "with four slots",
			When:   file(func(c *request.File) { c.Slots = []request.Slot{slot(1), slot(2), slot(3), slot(4)} }),
			Faults: []string{"slots: count"},
		},
		{
			Name: "with slots that cannot be",
			When: file(func(c *request.File) {
				c.Slots = []request.Slot{slot(-1), {From: slot(1).Until, Until: slot(1).From}, {From: slot(1).From}}
			}),
			Faults: []string{
				"slots[0].until: in_the_past", "slots[1].until: not_after_start",
				"slots[2].until: not_a_time",
			},
		},
		{
			Name: "with nothing right",
			When: request.File{
				By: domaintest.Sam, PropertyID: "p", UnitID: "u", Kind: "wish", Reference: strings.Repeat("x", 41),
				Details: "\x00", Handler: request.Handler{StaffID: "a\nb", Team: "a\nb"}, Deadline: at.AddDate(9000, 0, 0),
			},
			Faults: []string{
				"requestId: not_an_id", "businessId: not_an_id", "customerId: not_an_id", "propertyId: not_an_id",
				"unitId: not_an_id", "kind: not_one_of", "channel: required", "reference: too_long", "subject: required",
				"details: control_character", "handler.staffId: control_character", "handler.team: control_character",
				"deadline: not_a_time", "at: not_a_time",
			},
		},
	})
}

func TestTriage(t *testing.T) {
	t.Parallel()
	triage := request.Triage{Step: "T02 Check confirmation of receipt", Handler: desk, At: at}
	domaintest.Run(t, []decision{
		{Name: "a step", Given: events{atDesk()}, When: triage, Then: events{triaged()}},
		{Name: "the same step again", Given: events{atDesk(), triaged()}, When: triage, Then: events{triaged()}},
		{Name: "while the customer is asked", Given: events{filed(), askedBack()}, When: triage, Then: events{triaged()}},
		{Name: "what was declined", Given: events{filed(), declined()}, When: triage, Refused: request.ErrDeclined},
		{Name: "nothing", When: triage, Refused: request.ErrNotFound},
		{Name: "without a step", Given: events{filed()}, When: request.Triage{At: at}, Faults: []string{"step: required"}},
	})
}

func TestAskBackAndReply(t *testing.T) {
	t.Parallel()
	ask := request.AskBack{Question: "Which boiler?", At: at}
	reply := request.Reply{By: domaintest.Dana, Text: "The old one.", At: at.Add(time.Hour)}
	byStaff := reply
	byStaff.By = domaintest.Sam
	domaintest.Run(t, []decision{
		{Name: "ask back", Given: events{filed()}, When: ask, Then: events{askedBack()}},
		{Name: "ask back again", Given: events{filed(), askedBack()}, When: ask, Then: events{askedBack()}},
		{Name: "ask back what was accepted", Given: events{filed(), accepted()}, When: ask, Refused: request.ErrAccepted},
		{Name: "ask back nothing", Given: events{filed()}, When: request.AskBack{}, Faults: []string{"question: required"}},
		{Name: "ask nobody", When: ask, Refused: request.ErrNotFound},
		{Name: "reply", Given: events{filed(), askedBack()}, When: reply, Then: events{replied()}},
		{Name: "reply again", Given: events{filed(), askedBack(), replied()}, When: reply, Refused: request.ErrNotAsked},
		{Name: "reply unasked", Given: events{filed()}, When: reply, Refused: request.ErrNotAsked},
		{Name: "reply to what was declined", Given: events{filed(), askedBack(), declined()}, When: reply, Refused: request.ErrDeclined},
		{Name: "reply as staff", Given: events{filed(), askedBack()}, When: byStaff, Refused: domain.ErrOnlyContact},
		{Name: "reply nothing", Given: events{filed(), askedBack()}, When: request.Reply{By: domaintest.Dana}, Faults: []string{"text: required"}},
		{Name: "reply to nobody", When: reply, Refused: request.ErrNotFound},
	})
}

func TestAcceptAndDecline(t *testing.T) {
	t.Parallel()
	accept := request.Accept{Next: request.NextQuote, At: at}
	decline := request.Decline{Reason: "Too far.", At: at}
	domaintest.Run(t, []decision{
		{Name: "accept", Given: events{filed()}, When: accept, Then: events{accepted()}},
		{Name: "accept while the customer is asked", Given: events{filed(), askedBack()}, When: accept, Then: events{accepted()}},
		{Name: "accept again", Given: events{filed(), accepted()}, When: accept, Refused: request.ErrAccepted},
		{Name: "accept what was declined", Given: events{filed(), declined()}, When: accept, Refused: request.ErrDeclined},
		{Name: "accept for nothing", Given: events{filed()}, When: request.Accept{At: at}, Faults: []string{"next: not_one_of"}},
		{Name: "accept nothing", When: accept, Refused: request.ErrNotFound},
		{Name: "decline", Given: events{filed()}, When: decline, Then: events{declined()}},
		{Name: "decline what was accepted", Given: events{filed(), accepted()}, When: decline, Refused: request.ErrAccepted},
		{Name: "decline again", Given: events{filed(), declined()}, When: decline, Refused: request.ErrDeclined},
		{Name: "decline without a reason", Given: events{filed()}, When: request.Decline{At: at}, Faults: []string{"reason: required"}},
		{Name: "decline nothing", When: decline, Refused: request.ErrNotFound},
	})
}

func TestWhoseTurnItIs(t *testing.T) {
	t.Parallel()
	never := time.Time{}
	tests := map[string]struct {
		given   events
		status  request.Status
		since   time.Time
		version int
	}{
		"filed":      {events{filed()}, request.StatusFiled, at, 1},
		"triaged":    {events{filed(), triaged()}, request.StatusFiled, at, 1},
		"asked back": {events{filed(), askedBack()}, request.StatusAskedBack, never, 2},
		"replied":    {events{filed(), askedBack(), replied()}, request.StatusFiled, at.Add(time.Hour), 3},
		"accepted":   {events{filed(), accepted()}, request.StatusAccepted, never, 2},
		"declined":   {events{filed(), declined()}, request.StatusDeclined, never, 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := request.State{
				ID: id, BusinessID: business, CustomerID: customer,
				Place: domain.Place{PropertyID: domaintest.ID(4), UnitID: domaintest.ID(5)},
				Kind:  request.Lead, Channel: "portal",
				Status: test.status, FiledAt: at, Waiting: test.since, Version: test.version,
			}
			got := domain.Fold(request.State{}, test.given...)
			if diff := cmp.Diff(want, got); diff != "" || got.DocumentVersion() != test.version {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestStored(t *testing.T) {
	whole := filed()
	whole.Reference, whole.Handler, whole.Deadline = "case-10011", desk, at.AddDate(0, 2, 0)
	domaintest.Stored(t, request.Types, events{whole, triaged(), askedBack(), replied(), accepted(), declined()})
}
