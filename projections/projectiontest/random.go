package projectiontest

import (
	"time"

	"pgregory.net/rapid"

	"portal.example/domain"
	"portal.example/domain/business"
	"portal.example/domain/customer"
	"portal.example/domain/domaintest"
	"portal.example/domain/invoice"
	"portal.example/domain/lines"
	"portal.example/domain/money"
	"portal.example/domain/quote"
	"portal.example/domain/request"
)

// Random is a history in which anything that the decisions allow can happen, in
// any order across the records.
type Random struct {
	History
	Invoices map[string]invoice.State // by id, as the domain folds them
	Quotes   map[string]quote.State
	Requests map[string]request.State
	Customer customer.State

	step int
}

// The ids of a random history.
var (
	BusinessID = domaintest.ID(1)
	CustomerID = domaintest.ID(2)
)

// Draw makes a random history.
func Draw(t *rapid.T) *Random {
	r := &Random{
		History:  History{Business: BusinessID},
		Invoices: make(map[string]invoice.State), Quotes: make(map[string]quote.State), Requests: make(map[string]request.State),
	}
	r.Add(Portal, business.Stream(BusinessID), business.Registered{
		BusinessID: BusinessID, Slug: "pumps", Name: "Pumps", Currency: "EUR", TimeZone: "Europe/Rome", Language: "en", At: r.at(),
	})
	r.customer(customer.Add{CustomerID: CustomerID, BusinessID: BusinessID, Name: "Reyes", Language: "en", At: r.at()})
	moves := []func(*rapid.T){r.anyCustomer, r.anyInvoice, r.anyInvoice, r.anyQuote, r.anyRequest}
	for range rapid.IntRange(20, 120).Draw(t, "steps") {
		r.step++
		rapid.SampledFrom(moves).Draw(t, "capability")(t)
	}
	return r
}

func (r *Random) at() time.Time {
	return domaintest.Noon.Add(time.Duration(r.step) * 7 * time.Minute)
}

// id is one of two ids of a kind, so that commands meet.
func (r *Random) id(t *rapid.T, kind int) string {
	return domaintest.ID(1000*kind + rapid.IntRange(0, 1).Draw(t, "id"))
}

func (r *Random) customer(c domain.Decider[customer.State, customer.Event]) {
	events, err := c.Decide(r.Customer)
	if err != nil {
		return
	}
	for _, e := range events {
		r.Customer = r.Customer.Evolve(e)
		r.Add(Sam, customer.Stream(CustomerID), e)
	}
}

func (r *Random) anyCustomer(t *rapid.T) {
	place := func(name string) string { return rapid.SampledFrom([]string{"", r.id(t, 4)}).Draw(t, name) }
	rights := customer.Rights{
		Access:     rapid.SampledFrom([]customer.Access{customer.Everything, customer.BillingOnly, customer.ViewOnly}).Draw(t, "access"),
		PropertyID: place("place"),
	}
	r.customer(rapid.SampledFrom([]domain.Decider[customer.State, customer.Event]{
		customer.AddContact{ContactID: r.id(t, 3), Name: "Dana", Email: "dana@example.com", Language: "ja", Rights: rights, At: r.at()},
		customer.ChangeRights{ContactID: r.id(t, 3), Rights: rights, At: r.at()},
		customer.AddProperty{PropertyID: r.id(t, 4), Name: "Villa", Address: "Street 1", At: r.at()},
		customer.AddUnit{PropertyID: r.id(t, 4), UnitID: r.id(t, 5), Name: "Flat", At: r.at()},
	}).Draw(t, "customer"))
}

func (r *Random) anyInvoice(t *rapid.T) {
	id, at := r.id(t, 6), r.at()
	amount := money.Money{Amount: rapid.Int64Range(1, 30000).Draw(t, "amount"), Currency: "EUR"}
	state := r.Invoices[id]
	commands := []domain.Decider[invoice.State, invoice.Event]{
		invoice.Draft{InvoiceID: id, BusinessID: BusinessID, CustomerID: CustomerID, Currency: "EUR", Lines: someLines(amount), At: at},
		invoice.Freeze{IssuedOn: domain.DateOf(at, time.UTC), DueOn: domain.DateOf(at.AddDate(0, 0, 30), time.UTC), At: at},
		invoice.Issue{Number: int64(r.step), At: at},
		invoice.Revise{Lines: someLines(amount), Note: "Thanks", At: at},
		invoice.Send{At: at},
		invoice.ConfirmDelivery{At: at},
		invoice.View{Visit: domaintest.Visit(domaintest.Dana, at)},
		invoice.View{Visit: domaintest.Visit(domaintest.AsDana, at)},
		invoice.AddExpense{ChargeID: r.id(t, 7), Description: "Post", Amount: amount, At: at},
		invoice.AddLateFee{ChargeID: r.id(t, 8), Description: "Late", Amount: amount, At: at},
		invoice.ReceivePayment{PaymentID: r.id(t, 9), Amount: amount, At: at},
		invoice.ReceivePayment{PaymentID: r.id(t, 10), Amount: amount, At: at},
		invoice.IssueCreditNote{CreditNoteID: r.id(t, 11), Amount: amount, Reason: "Sorry", At: at},
		invoice.Void{Reason: "Twice", At: at},
		invoice.SendToCollections{At: at},
		invoice.OpenDispute{By: domaintest.Sam, DisputeID: r.id(t, 12), Forum: invoice.BeforeCourt, Reason: "No", At: at},
		invoice.AnswerDispute{DisputeID: r.id(t, 12), Forum: invoice.BeforeCourt, Text: "But", At: at},
		invoice.DecideDispute{DisputeID: r.id(t, 12), Forum: invoice.BeforeCourt, Outcome: invoice.Rejected, At: at},
		invoice.NotifyDisputeOutcome{DisputeID: r.id(t, 12), Forum: invoice.BeforeCourt, At: at},
	}
	command := rapid.SampledFrom(commands).Draw(t, "invoice")
	command = forward(t, command, map[invoice.Status]domain.Decider[invoice.State, invoice.Event]{
		"":                   commands[0],
		invoice.StatusDraft:  commands[1],
		invoice.StatusFrozen: commands[2],
	}[state.Status])
	events, err := command.Decide(state)
	if err != nil {
		return
	}
	for _, e := range events {
		state = state.Evolve(e)
		r.Add(Sam, invoice.Stream(id), e)
	}
	r.Invoices[id] = state
}

func someLines(amount money.Money) []lines.Line {
	return []lines.Line{
		{ID: "work", Description: "Work", Quantity: 1500, UnitPrice: amount, TaxRate: 220_000},
		{ID: "pump", Description: "Pump", Quantity: 1000, UnitPrice: amount, TaxRate: 100_000},
	}
}

func (r *Random) anyQuote(t *rapid.T) {
	id, at := r.id(t, 13), r.at()
	state := r.Quotes[id]
	offer := quote.Offer{
		Title:     rapid.SampledFrom([]string{"Pump", "New pump"}).Draw(t, "title"),
		Lines:     someLines(money.Money{Amount: rapid.Int64Range(1, 9999).Draw(t, "amount"), Currency: "EUR"}),
		ExpiresAt: at.AddDate(0, 0, 14),
	}
	offer.Lines[1].Optional = true
	question := domaintest.ID(14000)
	commands := []domain.Decider[quote.State, quote.Event]{
		quote.Draft{
			QuoteID: id, BusinessID: BusinessID, CustomerID: CustomerID, Reference: "Q-" + id[30:], Currency: "EUR", Offer: offer, At: at,
		},
		quote.Send{At: at},
		quote.Revise{Offer: offer, At: at},
		quote.View{Visit: domaintest.Visit(domaintest.Dana, at)},
		quote.View{Visit: domaintest.Visit(domaintest.Sam, at)},
		quote.AskQuestion{By: domaintest.Dana, QuestionID: question, Version: state.Held, Text: "When?", At: at},
		quote.AnswerQuestion{QuestionID: question, Text: "Soon", At: at},
		quote.RequestChanges{By: domaintest.Dana, Version: state.Held, Text: "Blue", At: at},
		quote.Expire{At: at},
		quote.Decline{By: domaintest.Dana, Version: state.Held, Reason: "Dear", At: at},
		quote.Approve{Visit: domaintest.Visit(domaintest.Dana, at), Version: state.Held, SignedName: "Dana", ConsentVersion: "1"},
	}
	command := forward(t, rapid.SampledFrom(commands).Draw(t, "quote"), map[quote.Status]domain.Decider[quote.State, quote.Event]{
		"":                commands[0],
		quote.StatusDraft: commands[1],
	}[state.Status])
	events, err := command.Decide(state)
	if err != nil {
		return
	}
	for _, e := range events {
		state = state.Evolve(e)
		r.Add(Dana, quote.Stream(id), e)
	}
	r.Quotes[id] = state
}

func (r *Random) anyRequest(t *rapid.T) {
	id, at := r.id(t, 15), r.at()
	state := r.Requests[id]
	commands := []domain.Decider[request.State, request.Event]{
		request.File{
			By: domaintest.Sam, RequestID: id, BusinessID: BusinessID, CustomerID: CustomerID,
			Kind: request.Lead, Channel: "Desk", Subject: "Leak", At: at,
		},
		request.Triage{Step: "T02", Handler: request.Handler{StaffID: "Resource21", Team: "Group 1"}, At: at},
		request.AskBack{Question: "Where?", At: at},
		request.Reply{By: domaintest.Dana, Text: "Here", At: at},
		request.Accept{Next: request.NextQuote, At: at},
		request.Decline{Reason: "Far", At: at},
	}
	command := forward(t, rapid.SampledFrom(commands).Draw(t, "request"),
		map[request.Status]domain.Decider[request.State, request.Event]{
			"":                      commands[0],
			request.StatusAskedBack: request.Reply{By: domaintest.Dana, Text: "Here", At: at},
		}[state.Status])
	events, err := command.Decide(state)
	if err != nil {
		return
	}
	for _, e := range events {
		state = state.Evolve(e)
		r.Add(Sam, request.Stream(id), e)
	}
	r.Requests[id] = state
}

// forward is mostly the command that leads on from where a record is, if there
// is one: left to chance, few would ever get beyond their beginning.
func forward[S, E any](t *rapid.T, command, next domain.Decider[S, E]) domain.Decider[S, E] {
	if next != nil && rapid.IntRange(0, 4).Draw(t, "forward") > 0 {
		return next
	}
	return command
}
