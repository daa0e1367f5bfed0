package quote_test

import (
	"testing"
	"time"

	"portal.example/domain"
	"portal.example/domain/domaintest"
	"portal.example/domain/lines"
	"portal.example/domain/money"
	"portal.example/domain/quote"
)

type (
	decision = domaintest.Case[quote.State, quote.Event]
	events   = []quote.Event
)

var (
	at       = domaintest.Noon
	expiry   = at.AddDate(0, 0, 14)
	id       = domaintest.ID(1)
	customer = domaintest.ID(2)
	dana     = domaintest.Dana.ID
	question = domaintest.ID(7)
)

func euros(amount int64) money.Money { return money.Money{Amount: amount, Currency: "EUR"} }

// offer is 1 pump at 400.00 and 2 h at 50.00, and a filter if wanted at 30.00,
// all with 22 % of tax: 610.00, or 646.60 with the filter.
func offer(change func(*quote.Offer)) quote.Offer {
	o := quote.Offer{
		Title: "New pump",
		Lines: []lines.Line{
			{ID: "pump", Description: "Pump", Quantity: 1000, UnitPrice: euros(40000), TaxRate: 220_000},
			{ID: "work", Description: "Work", Quantity: 2000, UnitPrice: euros(5000), TaxRate: 220_000},
			{ID: "filter", Description: "Filter", Quantity: 1000, UnitPrice: euros(3000), TaxRate: 220_000, Optional: true},
		},
		Terms:     "Two years of guarantee.",
		Deposit:   euros(10000),
		ExpiresAt: expiry,
	}
	change(&o)
	return o
}

func asIs(*quote.Offer) {}

func cheaper(o *quote.Offer) { o.Lines[0].UnitPrice = euros(35000) }

func drafted() quote.Drafted {
	return quote.Drafted{
		QuoteID: id, BusinessID: domaintest.ID(3), CustomerID: customer,
		PropertyID: domaintest.ID(4), UnitID: domaintest.ID(5), RequestID: domaintest.ID(6),
		Reference: "Q-1042", Currency: "EUR", Offer: offer(asIs), At: at,
	}
}

func sent(version int, total int64) quote.Sent {
	return quote.Sent{CustomerID: customer, Version: version, Total: euros(total), ExpiresAt: expiry, At: at}
}

func revised(version int) quote.Revised {
	return quote.Revised{CustomerID: customer, Version: version, Offer: offer(cheaper), At: at}
}

func declined() quote.Declined {
	return quote.Declined{CustomerID: customer, ContactID: dana, Version: 1, Reason: "Too dear.", At: at}
}

func expired() quote.Expired {
	return quote.Expired{CustomerID: customer, Version: 1, ExpiresAt: expiry, At: expiry.Add(time.Minute)}
}

func changesRequested() quote.ChangesRequested {
	return quote.ChangesRequested{CustomerID: customer, ContactID: dana, Version: 1, Text: "Cheaper?", At: at}
}

func asked() quote.QuestionAsked {
	return quote.QuestionAsked{CustomerID: customer, ContactID: dana, QuestionID: question, Version: 1, Text: "When?", At: at}
}

func approved(t *testing.T, options []string, total int64) quote.Approved {
	t.Helper()
	return quote.Approved{
		CustomerID: customer, ContactID: dana, Session: "session-of-contact", Version: 1,
		Options: options, Total: euros(total), Deposit: euros(10000),
		SignedName: "Dana Reyes", ConsentVersion: "2026-01", Language: "en",
		Schema: "quote/1", Hash: hashOf(t, events{drafted(), sent(1, 61000)}), Salt: domaintest.Salt, At: at,
	}
}

func hashOf(t *testing.T, given events) string {
	t.Helper()
	shown, err := domain.Fold(quote.State{}, given...).Shown()
	if err != nil {
		t.Fatal(err)
	}
	hash, err := domain.Hash(domaintest.Salt, shown)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func approve(version int, by domain.Actor, when time.Time, options ...string) quote.Approve {
	return quote.Approve{
		Visit: domaintest.Visit(by, when), Version: version, Options: options,
		SignedName: "Dana Reyes", ConsentVersion: "2026-01",
	}
}

func TestStored(t *testing.T) {
	domaintest.Stored(t, quote.Types, events{
		quote.Drafted{
			QuoteID: id, BusinessID: domaintest.ID(3), CustomerID: customer,
			PropertyID: domaintest.ID(4), UnitID: domaintest.ID(5), RequestID: domaintest.ID(6),
			Reference: "Q-1042", Currency: "EUR", Offer: everyFieldSet(), At: at,
		},
		quote.Revised{CustomerID: customer, Version: 2, Offer: everyFieldSet(), At: at},
		sent(1, 61000),
		quote.Viewed{
			CustomerID: customer, ContactID: dana, Session: "s1", Version: 1, Total: euros(61000), Language: "en",
			Schema: "quote/1", Hash: "a7ffc6f8", Salt: domaintest.Salt, At: at,
		},
		quote.ViewedByStaff{
			CustomerID: customer, StaffID: domaintest.Sam.ID, ActingFor: dana, Session: "s2", Version: 1, At: at,
		},
		asked(),
		quote.QuestionAnswered{CustomerID: customer, QuestionID: question, Text: "In May.", At: at},
		changesRequested(),
		approved(t, []string{"filter"}, 64660),
		declined(),
		expired(),
	})
}

func everyFieldSet() quote.Offer {
	return offer(func(o *quote.Offer) { o.Lines = o.Lines[2:] })
}
