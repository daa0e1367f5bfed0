package quote_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portal.example/domain"
	"portal.example/domain/domaintest"
	"portal.example/domain/lines"
	"portal.example/domain/money"
	"portal.example/domain/quote"
)

func draft(change func(*quote.Draft)) quote.Draft {
	c := quote.Draft(drafted())
	change(&c)
	return c
}

func TestDraft(t *testing.T) {
	t.Parallel()
	domaintest.Run(t, []decision{
		{Name: "a quote", When: draft(func(*quote.Draft) {}), Then: events{drafted()}},
		{Name: "twice", Given: events{drafted()}, When: draft(func(*quote.Draft) {}), Refused: quote.ErrExists},
		{
			Name: "with nothing right",
			When: draft(func(c *quote.Draft) {
				*c = quote.Draft{PropertyID: "p", UnitID: "u", RequestID: "r", Currency: "EUR", Offer: quote.Offer{
					Deposit: euros(-1), ExpiresAt: at.AddDate(9000, 0, 0), Terms: strings.Repeat("x", 4001),
				}}
			}),
			Faults: []string{
				"quoteId: not_an_id", "businessId: not_an_id", "customerId: not_an_id",
				"propertyId: not_an_id", "unitId: not_an_id", "requestId: not_an_id", "reference: required",
				"offer.title: required", "offer.lines: count", "offer.terms: too_long", "offer.expiresAt: not_a_time",
				"offer.deposit: not_positive", "at: not_a_time",
			},
		},
		{
			Name:   "in a currency that there is not",
			When:   draft(func(c *quote.Draft) { c.Currency = "XTS"; c.Offer = quote.Offer{Title: "x"} }), // set aside for tests by ISO 4217
			Faults: []string{"currency: unknown_currency", "offer.lines: count"},
		},
		{
			Name: "with a line in another currency",
			When: draft(func(c *quote.Draft) {
				c.Offer.Lines[1].UnitPrice = money.Money{Amount: 5, Currency: "JPY"}
			}),
			Faults: []string{"offer.lines[1].unitPrice: currency_mismatch"},
		},
		{
			Name: "with a deposit as high as the total",
			When: draft(func(c *quote.Draft) { c.Offer.Deposit = euros(61000) }),
			Then: events{with(drafted(), func(e *quote.Drafted) { e.Offer.Deposit = euros(61000) })},
		},
		{
			Name:   "with a deposit above the total without options",
			When:   draft(func(c *quote.Draft) { c.Offer.Deposit = euros(61001) }),
			Faults: []string{"offer.deposit: above_total"},
		},
		{
			Name: "that comes to more than there can be",
			When: draft(func(c *quote.Draft) {
				c.Offer.Lines[0].Quantity, c.Offer.Lines[0].UnitPrice = money.MaxQuantity, euros(money.MaxEntry)
			}),
			Faults: []string{"offer.lines: amount_too_large"},
		},
	})
}

func with[T any](v T, change func(*T)) T {
	change(&v)
	return v
}

func TestRevise(t *testing.T) {
	t.Parallel()
	domaintest.Run(t, []decision{
		{Name: "a draft", Given: events{drafted()}, When: quote.Revise{Offer: offer(cheaper), At: at}, Then: events{revised(2)}},
		{
			Name: "what was declined", Given: events{drafted(), sent(1, 61000), declined()},
			When: quote.Revise{Offer: offer(cheaper), At: at}, Then: events{revised(2)},
		},
		{Name: "to what it says", Given: events{drafted()}, When: quote.Revise{Offer: offer(asIs), At: at}},
		{
			Name: "the order of lines", Given: events{drafted()},
			When: quote.Revise{Offer: offer(swapLines), At: at},
			Then: events{quote.Revised{CustomerID: customer, Version: 2, Offer: offer(swapLines), At: at}},
		},
		{
			Name: "to nonsense", Given: events{drafted()}, When: quote.Revise{At: at},
			Faults: []string{"offer.title: required", "offer.lines: count"},
		},
		{
			Name: "what was approved", Given: events{drafted(), sent(1, 61000), approved(t, nil, 61000)},
			When: quote.Revise{Offer: offer(cheaper), At: at}, Refused: quote.ErrApproved,
		},
		{Name: "nothing", When: quote.Revise{At: at}, Refused: quote.ErrNotFound},
		{
			Name: "a version that somebody else has revised", Given: events{drafted(), revised(2)},
			When: domain.IfMatch(1, quote.Revise{Offer: offer(asIs), At: at}), Refused: domain.ErrVersion,
		},
	})
}

func swapLines(o *quote.Offer) { o.Lines[0], o.Lines[1] = o.Lines[1], o.Lines[0] }

func TestSend(t *testing.T) {
	t.Parallel()
	domaintest.Run(t, []decision{
		{Name: "a draft", Given: events{drafted()}, When: quote.Send{At: at}, Then: events{sent(1, 61000)}},
		{
			Name: "a revision", Given: events{drafted(), sent(1, 61000), revised(2)},
			When: quote.Send{At: at}, Then: events{sent(2, 54900)},
		},
		{Name: "the same version again", Given: events{drafted(), sent(1, 61000)}, When: quote.Send{At: at}},
		{Name: "what is to be changed", Given: events{drafted(), sent(1, 61000), changesRequested()}, When: quote.Send{At: at}},
		{
			Name: "what was turned down", Given: events{drafted(), sent(1, 61000), declined()},
			When: quote.Send{At: at}, Refused: quote.ErrDeclined,
		},
		{
			Name: "what was approved", Given: events{drafted(), sent(1, 61000), approved(t, nil, 61000)},
			When: quote.Send{At: at}, Refused: quote.ErrApproved,
		},
		{
			Name: "at the last instant", Given: events{drafted()}, When: quote.Send{At: expiry},
			Then: events{with(sent(1, 61000), func(e *quote.Sent) { e.At = expiry })},
		},
		{
			Name: "what has expired", Given: events{drafted()},
			When: quote.Send{At: expiry.Add(1)}, Faults: []string{"offer.expiresAt: quote_expired"},
		},
		{Name: "nothing", When: quote.Send{At: at}, Refused: quote.ErrNotFound},
	})
}

func TestExpire(t *testing.T) {
	t.Parallel()
	open := events{drafted(), sent(1, 61000)}
	expire := quote.Expire{At: expiry.Add(time.Minute)}
	withoutEnd := with(drafted(), func(e *quote.Drafted) { e.Offer.ExpiresAt = time.Time{} })
	endless := with(revised(2), func(e *quote.Revised) { e.Offer.ExpiresAt = time.Time{} })
	domaintest.Run(t, []decision{
		{Name: "an offer without an answer", Given: open, When: expire, Then: events{expired()}},
		{Name: "one with questions", Given: append(open, asked()), When: expire, Then: events{expired()}},
		{Name: "one that is being revised", Given: append(open, revised(2)), When: expire, Then: events{expired()}},
		{Name: "at the last instant", Given: open, When: quote.Expire{At: expiry}},
		{Name: "one without an end", Given: events{withoutEnd, sent(1, 61000)}, When: expire},
		{Name: "again", Given: append(open, expired()), When: expire},
		{Name: "what was approved", Given: append(open, approved(t, nil, 61000)), When: expire},
		{Name: "what was declined", Given: append(open, declined()), When: expire},
		{Name: "what the business is to change", Given: append(open, changesRequested()), When: expire},
		{
			Name: "the version that is held", Given: append(open, revised(2), sent(2, 54900)), When: expire,
			Then: events{with(expired(), func(e *quote.Expired) { e.Version = 2 })},
		},
		{Name: "a version that has been replaced by one without an end", Given: append(open, endless, sent(2, 54900)), When: expire},
		{Name: "a draft", Given: events{drafted()}, When: expire},
		{Name: "nothing", When: expire},
	})
}

// The log is right about what has expired, also where a clock is behind.
func TestWhatHasExpired(t *testing.T) {
	t.Parallel()
	over := events{drafted(), sent(1, 61000), expired()}
	domaintest.Run(t, []decision{
		{Name: "is not approved", Given: over, When: approve(1, domaintest.Dana, at), Refused: quote.ErrExpired},
		{
			Name: "is not declined", Given: over,
			When: quote.Decline{By: domaintest.Dana, Version: 1, Reason: "No.", At: at}, Refused: quote.ErrExpired,
		},
		{Name: "is not sent again", Given: over, When: quote.Send{At: at}, Faults: []string{"offer.expiresAt: quote_expired"}},
		{Name: "can be revised", Given: over, When: quote.Revise{Offer: offer(cheaper), At: at}, Then: events{revised(2)}},
		{Name: "can be sent when revised", Given: append(over, revised(2)), When: quote.Send{At: at}, Then: events{sent(2, 54900)}},
		{
			Name: "is open when sent anew", Given: append(over, revised(2), sent(2, 54900)),
			When: quote.Decline{By: domaintest.Dana, Version: 2, Reason: "No.", At: at},
			Then: events{quote.Declined{CustomerID: customer, ContactID: dana, Version: 2, Reason: "No.", At: at}},
		},
	})
}

func TestView(t *testing.T) {
	t.Parallel()
	open := events{drafted(), sent(1, 61000)}
	viewed := quote.Viewed{
		CustomerID: customer, ContactID: dana, Session: "session-of-contact", Version: 1, Total: euros(61000),
		Language: "en", Schema: "quote/1", Hash: hashOf(t, open), Salt: domaintest.Salt, At: at,
	}
	byStaff := quote.ViewedByStaff{
		CustomerID: customer, StaffID: domaintest.Sam.ID, Session: "session-of-staff", Version: 2, At: at,
	}
	asDana := quote.ViewedByStaff{
		CustomerID: customer, StaffID: domaintest.Sam.ID, ActingFor: dana,
		Session: "session-of-staff-as-contact", Version: 1, At: at,
	}
	view := func(by domain.Actor, after time.Duration) quote.View {
		return quote.View{Visit: domaintest.Visit(by, at.Add(after))}
	}
	asStaff := with(byStaff, func(e *quote.ViewedByStaff) { e.Version = 1 })
	otherEyes := domaintest.Visit(domaintest.AsDana, at)
	otherEyes.Session = asStaff.Session
	later := viewed
	later.At = at.Add(10*time.Minute + 1)
	domaintest.Run(t, []decision{
		{Name: "by a contact", Given: open, When: view(domaintest.Dana, 0), Then: events{viewed}},
		{Name: "again within ten minutes", Given: append(open, viewed), When: view(domaintest.Dana, 10*time.Minute)},
		{Name: "again after that", Given: append(open, viewed), When: view(domaintest.Dana, 10*time.Minute+1), Then: events{later}},
		{
			Name: "of a new version", Given: events{drafted(), sent(1, 61000), viewed, revised(2), sent(2, 54900)},
			When: view(domaintest.Dana, time.Minute),
			Then: events{with(viewed, func(e *quote.Viewed) {
				e.Version, e.Total, e.At = 2, euros(54900), at.Add(time.Minute)
				e.Hash = hashOf(t, events{drafted(), sent(1, 61000), revised(2), sent(2, 54900)})
			})},
		},
		{
			Name: "of the version that is there", Given: open,
			When: quote.View{Visit: domaintest.Visit(domaintest.Dana, at), Version: 1}, Then: events{viewed},
		},
		{
			Name: "of a version that has been replaced", Given: events{drafted(), sent(1, 61000), revised(2), sent(2, 54900)},
			When: quote.View{Visit: domaintest.Visit(domaintest.Dana, at), Version: 1}, Refused: domain.ErrVersion,
		},
		{Name: "by staff, who see the draft", Given: append(open, revised(2)), When: view(domaintest.Sam, 0), Then: events{byStaff}},
		{Name: "by staff again", Given: append(open, revised(2), byStaff), When: view(domaintest.Sam, time.Minute)},
		{
			Name: "by staff as a contact, who see what the contact sees", Given: append(open, revised(2)),
			When: view(domaintest.AsDana, 0), Then: events{asDana},
		},
		{
			Name: "by staff as a contact, having looked as staff", Given: append(open, asStaff),
			When: quote.View{Visit: otherEyes}, Then: events{quote.ViewedByStaff{
				CustomerID: customer, StaffID: domaintest.Sam.ID, ActingFor: dana, Session: asStaff.Session, Version: 1, At: at,
			}},
		},
		{Name: "by a program", Given: open, When: view(domaintest.Robot, 0)},
		{Name: "of a draft by a program", Given: events{drafted()}, When: view(domaintest.Robot, 0)},
		{Name: "of a draft by a contact", Given: events{drafted()}, When: view(domaintest.Dana, 0), Refused: quote.ErrNotFound},
		{Name: "of a draft by staff as a contact", Given: events{drafted()}, When: view(domaintest.AsDana, 0), Refused: quote.ErrNotFound},
		{Name: "of nothing by staff", When: view(domaintest.Sam, 0), Refused: quote.ErrNotFound},
		{
			Name: "without a salt", Given: open,
			When:   quote.View{Visit: domain.Visit{By: domaintest.Dana, Session: "s", Language: "en", At: at}},
			Faults: []string{"salt: not_a_salt"},
		},
	})
}

// What is hashed is storage: a view of years ago must still be found to match.
func TestShown(t *testing.T) {
	t.Parallel()
	shown, err := domain.Fold(quote.State{}, events{drafted(), sent(1, 61000)}...).Shown()
	if err != nil {
		t.Fatal(err)
	}
	got, err := domain.Canonical(shown)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"currency":"EUR","deposit":{"amount":10000,"currency":"EUR"},"expiresAt":"2026-03-28T12:00:00Z",` +
		`"lines":[` +
		`{"description":"Pump","id":"pump","net":{"amount":40000,"currency":"EUR"},"quantity":1000,"taxRate":220000,"unitPrice":{"amount":40000,"currency":"EUR"}},` +
		`{"description":"Work","id":"work","net":{"amount":10000,"currency":"EUR"},"quantity":2000,"taxRate":220000,"unitPrice":{"amount":5000,"currency":"EUR"}},` +
		`{"description":"Filter","id":"filter","net":{"amount":3000,"currency":"EUR"},"optional":true,"quantity":1000,"taxRate":220000,"unitPrice":{"amount":3000,"currency":"EUR"}}],` +
		`"quoteId":"00000000-0000-8000-8000-000000000001","reference":"Q-1042","schema":"quote/1",` +
		`"terms":"Two years of guarantee.","title":"New pump",` +
		`"totals":{"gross":{"amount":61000,"currency":"EUR"},"net":{"amount":50000,"currency":"EUR"},` +
		`"taxes":[{"amount":{"amount":11000,"currency":"EUR"},"net":{"amount":50000,"currency":"EUR"},"rate":220000}]},` +
		`"version":1}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	from := offer(asIs)
	to := offer(func(o *quote.Offer) {
		o.Title, o.Terms, o.Deposit, o.ExpiresAt = "A pump", "", money.Money{}, time.Time{}
		o.Lines[1] = lines.Line{ID: "work", Description: "Labour", Quantity: 3000, UnitPrice: euros(4500), TaxRate: 0, Optional: true}
		o.Lines[2].ID = "valve"
	})
	want := []quote.Change{
		{Field: "title", From: "New pump", To: "A pump"},
		{Field: "lines[work].description", From: "Work", To: "Labour"},
		{Field: "lines[work].quantity", From: money.Quantity(2000), To: money.Quantity(3000)},
		{Field: "lines[work].unitPrice", From: euros(5000), To: euros(4500)},
		{Field: "lines[work].taxRate", From: money.Rate(220_000), To: money.Rate(0)},
		{Field: "lines[work].optional", From: false, To: true},
		{Field: "lines[filter]", From: from.Lines[2]},
		{Field: "lines[valve]", To: to.Lines[2]},
		{Field: "terms", From: "Two years of guarantee.", To: ""},
		{Field: "deposit", From: euros(10000)},
		{Field: "expiresAt", From: expiry},
	}
	if diff := cmp.Diff(want, quote.Changes(from, to)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if changes := quote.Changes(from, offer(asIs)); len(changes) != 0 {
		t.Errorf("an offer differs from itself: %v", changes)
	}
}

func TestState(t *testing.T) {
	t.Parallel()
	got := domain.Fold(quote.State{}, events{
		drafted(), revised(2), sent(2, 54900), revised(3), asked(),
		quote.QuestionAnswered{CustomerID: customer, QuestionID: question, Text: "In May.", At: at},
		with(approved(t, []string{"filter"}, 64660), func(e *quote.Approved) { e.Version = 2 }),
	}...)
	want := quote.State{
		ID: id, BusinessID: domaintest.ID(3), CustomerID: customer,
		Place:     domain.Place{PropertyID: domaintest.ID(4), UnitID: domaintest.ID(5)},
		RequestID: domaintest.ID(6), Reference: "Q-1042", Currency: "EUR",
		Status: quote.StatusApproved, Version: 3, Held: 2, SentAt: at,
		Offers:    map[int]quote.Offer{2: offer(cheaper), 3: offer(cheaper)},
		Questions: map[string]quote.Question{question: {ContactID: dana, AskedAt: at, Answered: true}},
		Approval: quote.Approval{
			ContactID: dana, Version: 2, Options: []string{"filter"}, Total: euros(64660), At: at,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" || got.DocumentVersion() != 3 {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStatesAreApart(t *testing.T) {
	t.Parallel()
	apart := domaintest.Apart[quote.State, quote.Event]
	apart(t, events{drafted(), sent(1, 61000)}, revised(2), asked())
	apart(t, events{drafted(), sent(1, 61000), asked()}, declined(),
		quote.QuestionAnswered{CustomerID: customer, QuestionID: question, At: at})
}
