package invoice_test

import (
	"testing"
	"time"

	"portal.example/domain"
	"portal.example/domain/domaintest"
	"portal.example/domain/invoice"
	"portal.example/domain/lines"
	"portal.example/domain/money"
)

type (
	decision = domaintest.Case[invoice.State, invoice.Event]
	events   = []invoice.Event
)

var (
	at       = domaintest.Noon
	id       = domaintest.ID(1)
	customer = domaintest.ID(2)
	dana     = domaintest.Dana.ID

	issuedOn = domain.Date{Year: 2026, Month: time.March, Day: 14}
	dueOn    = domain.Date{Year: 2026, Month: time.April, Day: 13}
)

func euros(amount int64) money.Money { return money.Money{Amount: amount, Currency: "EUR"} }

func item(price int64) lines.Line {
	return lines.Line{ID: "work", Description: "Work", Quantity: 2000, UnitPrice: euros(price), TaxRate: 220_000}
}

// drafted is an invoice of 122.00.
func drafted() invoice.Drafted {
	return invoice.Drafted{
		InvoiceID: id, BusinessID: domaintest.ID(3), CustomerID: customer,
		PropertyID: domaintest.ID(4), UnitID: domaintest.ID(5), QuoteID: domaintest.ID(6),
		Reference: "A100", Currency: "EUR", Lines: []lines.Line{item(5000)}, Note: "Thank you.", At: at,
	}
}

func frozen() invoice.Frozen {
	return invoice.Frozen{CustomerID: customer, IssuedOn: issuedOn, DueOn: dueOn, Total: euros(12200), At: at}
}

func issued() invoice.Issued {
	return invoice.Issued{CustomerID: customer, Number: 17, Total: euros(12200), At: at}
}

func sent() invoice.Sent { return invoice.Sent{CustomerID: customer, At: at} }

func delivered() invoice.DeliveryConfirmed {
	return invoice.DeliveryConfirmed{CustomerID: customer, At: at}
}

func voided() invoice.Voided { return invoice.Voided{CustomerID: customer, Reason: "Twice.", At: at} }

// paid is a payment, with what became of it.
func paid(n int, allocated, surplus int64) invoice.PaymentReceived {
	return invoice.PaymentReceived{
		CustomerID: customer, PaymentID: domaintest.ID(n),
		Received: euros(allocated + surplus), Allocated: euros(allocated), Surplus: euros(surplus), At: at,
	}
}

// inForce is an issued invoice and what came after.
func inForce(more ...invoice.Event) events {
	return append(events{drafted(), frozen(), issued()}, more...)
}

func viewed(t *testing.T, given events) invoice.Viewed {
	t.Helper()
	shown, err := domain.Fold(invoice.State{}, given...).Shown()
	if err != nil {
		t.Fatal(err)
	}
	hash, err := domain.Hash(domaintest.Salt, shown)
	if err != nil {
		t.Fatal(err)
	}
	return invoice.Viewed{
		CustomerID: customer, ContactID: dana, Session: "session-of-contact", Version: shown.Version,
		Total: shown.Billed, Balance: shown.Balance, Language: "en",
		Schema: "invoice/1", Hash: hash, Salt: domaintest.Salt, At: at,
	}
}

func TestStored(t *testing.T) {
	optional := item(5000)
	optional.Optional = true // never so on an invoice, but the file shows every field
	draft := drafted()
	draft.Lines = []lines.Line{optional}
	domaintest.Stored(t, invoice.Types, events{
		draft,
		invoice.Revised{CustomerID: customer, Lines: []lines.Line{optional}, Note: "Thanks.", At: at},
		frozen(),
		issued(),
		sent(),
		delivered(),
		invoice.Viewed{
			CustomerID: customer, ContactID: dana, Session: "s1", Version: 3, Total: euros(12200), Balance: euros(12200),
			Language: "en", Schema: "invoice/1", Hash: "a7ffc6f8", Salt: domaintest.Salt, At: at,
		},
		invoice.ViewedByStaff{CustomerID: customer, StaffID: domaintest.Sam.ID, ActingFor: dana, Session: "s2", Version: 3, At: at},
		expense(20, 1100),
		lateFee(21, 3650),
		paid(10, 12200, 300),
		creditNote(30, 2200, 200),
		voided(),
		invoice.SentToCollections{CustomerID: customer, Balance: euros(12200), At: at},
		invoice.DisputeOpened{
			CustomerID: customer, DisputeID: dispute, Forum: invoice.BeforeBusiness, ContactID: dana, Reason: "Not done.", At: at,
		},
		invoice.DisputeAnswered{
			CustomerID: customer, DisputeID: dispute, Forum: invoice.BeforeAuthority, Text: "It was.", At: at,
		},
		invoice.DisputeDecided{
			CustomerID: customer, DisputeID: dispute, Forum: invoice.BeforeCourt, Outcome: invoice.PartlyUpheld, Text: "Half.", At: at,
		},
		invoice.DisputeOutcomeNotified{CustomerID: customer, DisputeID: dispute, Forum: invoice.BeforeAuthority, At: at},
	})
}
