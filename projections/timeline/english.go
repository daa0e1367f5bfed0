package timeline

import (
	"strings"
	"time"

	"portal.example/domain/account"
	"portal.example/domain/customer"
	"portal.example/domain/invoice"
	"portal.example/domain/money"
	"portal.example/domain/payment"
	"portal.example/domain/request"
)

// A template has arguments in braces; what stands in brackets is left out where
// one of its arguments is missing.
var english = language{
	sentences: map[string]string{ //nolint:gosec // G101 takes sentences for secrets
		"AccountCredited": "{amount} became credit of {customer}, {source}, {when}",

		"BusinessRegistered":   "{name} began to use the portal {when}",
		"BusinessPortalOpened": "The portal was opened to customers[ by {actor}] {when}",
		"BusinessPortalClosed": "The portal was closed to customers[ by {actor}] {when}",

		"ClaimTaken": "The address of the portal was taken {when}",

		"CustomerAdded":                "{customer} was added as a customer[ by {actor}] {when}",
		"CustomerContactAdded":         "{contact} was added as a contact of {customer}[ by {actor}], with the right to {access}, {when}",
		"CustomerContactRightsChanged": "The rights of {contact} at {customer} were changed[ by {actor}] to {access} {when}",
		"CustomerPropertyAdded":        "The property {place} was added to {customer}[ by {actor}] {when}",
		"CustomerUnitAdded":            "The unit {place} was added to {customer}[ by {actor}] {when}",

		"InvoiceNumberTaken": "Invoice number {number} was taken {when}",

		"InvoiceDrafted":                "Invoice {record} for {customer} was drafted[ by {actor}] {when}",
		"InvoiceRevised":                "The draft of invoice {record} was changed[ by {actor}] {when}",
		"InvoiceFrozen":                 "Invoice {record} over {amount}[, due {due},] was made ready for issue[ by {actor}] {when}",
		"InvoiceIssued":                 "Invoice {record} over {amount} was issued to {customer}[ by {actor}] {when}",
		"InvoiceSent":                   "Invoice {record} was sent to {customer}[ by {actor}] {when}",
		"InvoiceDeliveryConfirmed":      "Delivery of invoice {record} to {customer} was confirmed {when}",
		"InvoiceViewed":                 "Invoice {record} was viewed by {actor} in the portal {when}",
		"InvoiceViewedByStaff":          "Invoice {record} was looked at by {actor}[, as {contact} sees it,] {when}",
		"InvoiceExpenseAdded":           "An expense of {amount} was added to invoice {record}[ by {actor}] {when}",
		"InvoiceLateFeeAdded":           "A late fee of {amount} was added to invoice {record}[ by {actor}] {when}",
		"InvoicePaymentReceived":        "A payment of {amount} was received for invoice {record}[, {surplus} of it more than was owed,] {when}",
		"InvoiceCreditNoteIssued":       "A credit note over {amount} was issued on invoice {record}[ by {actor}] {when}",
		"InvoiceVoided":                 "Invoice {record} was made void[ by {actor}] {when}",
		"InvoiceSentToCollections":      "Invoice {record} was handed to collections with {amount} outstanding[ by {actor}] {when}",
		"InvoiceDisputeOpened":          "Invoice {record} was disputed by {customer} {forum} {when}",
		"InvoiceDisputeAnswered":        "The dispute {forum} about invoice {record} was answered {when}",
		"InvoiceDisputeDecided":         "The dispute {forum} about invoice {record} was decided {when}: {outcome}",
		"InvoiceDisputeOutcomeNotified": "{customer} was told the outcome of the dispute {forum} about invoice {record} {when}",

		"ParkedMessageDiscarded": "An operator discarded what {name} could not do about {step} {when}",

		"PaymentRecorded":  "A payment of {amount}[ {method}] by {customer} for invoice {invoice} was recorded[ by {actor}] {when}",
		"PaymentAllocated": "{amount} of a payment by {customer} went to invoice {invoice} {when}",
		"PaymentCredited":  "{amount} of a payment by {customer} became credit {when}",

		"QuoteDrafted":          "Quote {record} for {customer} was drafted[ by {actor}] {when}",
		"QuoteRevised":          "Quote {record} was revised[ by {actor}] to version {version} {when}",
		"QuoteSent":             "Quote {record}, version {version}, over {amount}[, open until {expires},] was sent to {customer}[ by {actor}] {when}",
		"QuoteViewed":           "Quote {record} was viewed by {actor} in the portal {when}",
		"QuoteViewedByStaff":    "Quote {record} was looked at by {actor}[, as {contact} sees it,] {when}",
		"QuoteQuestionAsked":    "A question about quote {record} was asked by {actor} in the portal {when}",
		"QuoteQuestionAnswered": "A question about quote {record} was answered[ by {actor}] {when}",
		"QuoteChangesRequested": "Changes to quote {record} were requested by {actor} in the portal {when}",
		"QuoteApproved":         "Quote {record}, version {version}, over {amount}, was approved and signed by {actor} in the portal {when}",
		"QuoteDeclined":         "Quote {record}, version {version}, was declined by {actor} in the portal {when}",
		"QuoteExpired":          "Quote {record}, version {version}, open until {expires}, expired without an answer {when}",

		"RequestFiled":     "Request {record} of {customer} was received {channel}[ by {handler}] {when}",
		"RequestTriaged":   "Request {record}: “{step}”[ by {handler}] {when}",
		"RequestAskedBack": "{customer} was asked for more about request {record}[ by {actor}] {when}",
		"RequestReplied":   "A question about request {record} was answered by {actor} in the portal {when}",
		"RequestAccepted":  "Request {record} was accepted[ by {actor}] {next} {when}",
		"RequestDeclined":  "Request {record} was declined[ by {actor}] {when}",
	},
	words: map[string]string{
		"staff":       "staff",
		"integration": "a connected program",
		"somebody":    "somebody",
		"erased":      "[erased]",

		"access " + string(customer.Everything):  "see and do everything",
		"access " + string(customer.BillingOnly): "see and act on quotes and invoices",
		"access " + string(customer.ViewOnly):    "see everything",

		"source " + string(account.FromPayment):    "from a payment for invoice {invoice}",
		"source " + string(account.FromCreditNote): "from a credit note on invoice {invoice}",

		"forum " + string(invoice.BeforeBusiness):  "with the business",
		"forum " + string(invoice.BeforeAuthority): "before the authority",
		"forum " + string(invoice.BeforeCourt):     "before the court",

		"outcome " + string(invoice.Upheld):       "the customer was right",
		"outcome " + string(invoice.PartlyUpheld): "the customer was partly right",
		"outcome " + string(invoice.Rejected):     "the customer was not right",
		"outcome " + string(invoice.Withdrawn):    "the customer withdrew it",
		"outcome " + string(invoice.Unstated):     "the outcome was not stated",

		"method " + string(payment.Cash):     "in cash",
		"method " + string(payment.Cheque):   "by cheque",
		"method " + string(payment.Transfer): "by bank transfer",
		"method " + string(payment.Unstated): "",

		"channel " + request.ChannelPortal: "in the portal",
		"channel":                          "by the channel “{channel}”",

		"next " + string(request.NextQuote):       "for a quote",
		"next " + string(request.NextAppointment): "for an appointment",
	},
	person: func(name string) string { return name },
	team:   func(handler, team string) string { return handler + " (" + team + ")" },
	when:   func(t string) string { return "on " + t },
	date:   func(t time.Time) string { return t.Format("January 2, 2006") },
	moment: func(t time.Time) string { return t.Format("January 2, 2006 at 3:04 PM ") + zoneOf(t) },
	amount: englishAmount,
}

var symbols = map[money.Currency]string{"EUR": "€", "GBP": "£", "JPY": "¥", "USD": "$"}

// englishAmount writes "€1,234.50", and "KWD 1,234.500" where no sign is known
// to everybody.
func englishAmount(m money.Money) string {
	digits, negative := strings.CutPrefix(m.Decimal(), "-")
	text := grouped(digits)
	if symbol, ok := symbols[m.Currency]; ok {
		text = symbol + text
	} else {
		text = string(m.Currency) + " " + text
	}
	if negative {
		return "-" + text
	}
	return text
}

func grouped(digits string) string {
	whole, fraction, point := strings.Cut(digits, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if point {
		return whole + "." + fraction
	}
	return whole
}
