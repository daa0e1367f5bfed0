package projectiontest

import (
	"time"

	"portal.example/domain"
	"portal.example/domain/business"
	"portal.example/domain/customer"
	"portal.example/domain/domaintest"
	"portal.example/domain/invoice"
	"portal.example/domain/lines"
	"portal.example/domain/money"
	"portal.example/domain/payment"
	"portal.example/domain/quote"
	"portal.example/domain/request"
)

// The ids of the sample. Reyes and Park are customers of the business; Dana
// acts for Reyes, Billie sees their bills, Terry is a tenant of one unit.
var (
	ReyesID      = domaintest.ID(10)
	ParkID       = domaintest.ID(11)
	DanaID       = domaintest.Dana.ID
	BillieID     = domaintest.ID(20)
	TerryID      = domaintest.ID(21)
	VillaID      = domaintest.ID(30)
	FlatID       = domaintest.ID(31)
	QuoteID      = domaintest.ID(40) // of Reyes: sent, viewed, and under revision
	DraftQuoteID = domaintest.ID(41) // of Reyes
	PaidID       = domaintest.ID(50) // invoice of Reyes, paid with a surplus
	DueID        = domaintest.ID(51) // invoice of Reyes for the flat, paid in part
	DraftID      = domaintest.ID(52) // invoice of Reyes
	ParksID      = domaintest.ID(53) // invoice of Park
	RequestID    = domaintest.ID(60) // of Reyes
	OtherID      = domaintest.ID(2)  // another business
	OthersID     = domaintest.ID(12) // its customer
)

// Noon is when the sample begins: March 14, 2026, 12:00 UTC.
var Noon = domaintest.Noon

func euros(amount int64) money.Money { return money.Money{Amount: amount, Currency: "EUR"} }

// Sample is a business in Chicago that bills in euros, and a bit of another.
func Sample() (mine, other *History) {
	h := &History{Business: BusinessID}
	h.Add(Portal, business.Stream(BusinessID), business.Registered{
		BusinessID: BusinessID, Slug: "pumps", Name: "Pumps", Currency: "EUR", TimeZone: "America/Chicago", Language: "en", At: Noon,
	}, business.PortalOpened{At: Noon})
	sampleCustomers(h)
	sampleQuotes(h)
	sampleInvoices(h)
	h.Add(Dana, request.Stream(RequestID),
		request.Filed{
			RequestID: RequestID, BusinessID: BusinessID, CustomerID: ReyesID, ContactID: DanaID, Kind: request.WorkOrder,
			Channel: request.ChannelPortal, Reference: "R-1", Subject: "Leak", Details: "Under the sink", At: Noon,
		},
		request.Triaged{CustomerID: ReyesID, Step: "Call back", Handler: request.Handler{StaffID: "Sam", Team: "North"}, At: Noon})
	o := &History{Business: OtherID}
	o.Add(Portal, business.Stream(OtherID), business.Registered{
		BusinessID: OtherID, Slug: "paint", Name: "Paint", Currency: "JPY", TimeZone: "Asia/Tokyo", Language: "ja", At: Noon,
	})
	o.Add(Sam, customer.Stream(OthersID), customer.Added{
		CustomerID: OthersID, BusinessID: OtherID, Name: "Sato", Language: "ja", At: Noon,
	})
	return h, o
}

func sampleCustomers(h *History) {
	contact := func(id, name string, rights customer.Rights) customer.ContactAdded {
		return customer.ContactAdded{
			CustomerID: ReyesID, ContactID: id, Name: name, Email: name[:3] + "@example.com", Language: "en", Rights: rights, At: Noon,
		}
	}
	h.Add(Sam, customer.Stream(ReyesID),
		customer.Added{CustomerID: ReyesID, BusinessID: BusinessID, Reference: "C-10", Name: "Reyes Ltd", Language: "en", At: Noon},
		customer.PropertyAdded{CustomerID: ReyesID, PropertyID: VillaID, Name: "Villa Rosa", Address: "Street 1", At: Noon},
		customer.UnitAdded{CustomerID: ReyesID, PropertyID: VillaID, UnitID: FlatID, Name: "Flat 2", At: Noon},
		contact(DanaID, "Dana Reyes", customer.Rights{Access: customer.Everything}),
		contact(BillieID, "Billie Bookkeeper", customer.Rights{Access: customer.BillingOnly}),
		contact(TerryID, "Terry Tenant", customer.Rights{Access: customer.Everything, PropertyID: VillaID, UnitID: FlatID}))
	h.Add(Sam, customer.Stream(ParkID), customer.Added{
		CustomerID: ParkID, BusinessID: BusinessID, Name: "100% Park", Language: "en", At: Noon.Add(time.Hour),
	})
}

func offer(title string, price int64) quote.Offer {
	return quote.Offer{Title: title, Lines: []lines.Line{
		{ID: "pump", Description: "Pump", Quantity: 1000, UnitPrice: euros(price)},
		{ID: "filter", Description: "Filter", Quantity: 1000, UnitPrice: euros(3000), Optional: true},
	}}
}

func sampleQuotes(h *History) {
	viewedAt := time.Date(2026, time.March, 14, 20, 42, 0, 0, time.UTC)
	h.Add(Sam, quote.Stream(QuoteID),
		quote.Drafted{
			QuoteID: QuoteID, BusinessID: BusinessID, CustomerID: ReyesID, Reference: "Q-1042", Currency: "EUR",
			Offer: offer("New pump", 40000), At: Noon,
		},
		quote.Sent{CustomerID: ReyesID, Version: 1, Total: euros(40000), At: Noon})
	h.Add(Dana, quote.Stream(QuoteID), quote.Viewed{
		CustomerID: ReyesID, ContactID: DanaID, Session: "s", Version: 1, Total: euros(40000), Language: "en",
		Schema: quote.ShownSchema, Hash: "00", Salt: domaintest.Salt, At: viewedAt,
	})
	h.Add(Sam, quote.Stream(QuoteID), quote.Revised{
		CustomerID: ReyesID, Version: 2, Offer: offer("Better pump", 50000), At: viewedAt.Add(time.Hour),
	})
	h.Add(Sam, quote.Stream(DraftQuoteID), quote.Drafted{
		QuoteID: DraftQuoteID, BusinessID: BusinessID, CustomerID: ReyesID, Reference: "Q-1043", Currency: "EUR",
		Offer: offer("Secret", 100), At: Noon.Add(time.Hour),
	})
}

func sampleInvoices(h *History) {
	draft := func(id, customer, unit string, amount int64) invoice.Drafted {
		d := invoice.Drafted{
			InvoiceID: id, BusinessID: BusinessID, CustomerID: customer, Currency: "EUR", Reference: "A" + id[34:],
			Lines: []lines.Line{{ID: "work", Description: "Work", Quantity: 1000, UnitPrice: euros(amount)}}, At: Noon,
		}
		if unit != "" {
			d.PropertyID, d.UnitID = VillaID, unit
		}
		return d
	}
	issue := func(d invoice.Drafted, number int64, due int) []any {
		total := d.Lines[0].UnitPrice
		return []any{
			d,
			invoice.Frozen{
				CustomerID: d.CustomerID, IssuedOn: domain.DateOf(Noon, time.UTC),
				DueOn: domain.DateOf(Noon.AddDate(0, 0, due), time.UTC), Total: total, At: Noon,
			},
			invoice.Issued{CustomerID: d.CustomerID, Number: number, Total: total, At: Noon},
		}
	}
	h.Add(Sam, invoice.Stream(PaidID), issue(draft(PaidID, ReyesID, "", 10000), 1, 30)...)
	h.Add(Sam, invoice.Stream(PaidID), invoice.PaymentReceived{
		CustomerID: ReyesID, PaymentID: domaintest.ID(70), Received: euros(12000), Allocated: euros(10000), Surplus: euros(2000), At: Noon,
	})
	h.Add(Sam, payment.Stream(domaintest.ID(70)), payment.Recorded{
		PaymentID: domaintest.ID(70), BusinessID: BusinessID, CustomerID: ReyesID, InvoiceID: PaidID,
		Method: payment.Cash, Amount: euros(12000), At: Noon,
	})
	h.Add(Sam, invoice.Stream(DueID), issue(draft(DueID, ReyesID, FlatID, 5000), 2, -40)...)
	h.Add(Sam, invoice.Stream(DueID), invoice.PaymentReceived{
		CustomerID: ReyesID, PaymentID: domaintest.ID(71), Received: euros(1000), Allocated: euros(1000), Surplus: euros(0), At: Noon,
	})
	h.Add(Sam, invoice.Stream(DraftID), draft(DraftID, ReyesID, "", 700))
	h.Add(Sam, invoice.Stream(ParksID), issue(draft(ParksID, ParkID, "", 300), 3, 30)...)
}

// ID is the nth id of a test.
func ID(n int) string { return domaintest.ID(n) }
