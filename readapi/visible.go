package readapi

import (
	"fmt"

	"portal.example/internal/api"
)

// What a contact may see depends on their rights, which are read in the same
// moment as what is asked for. The rules are those that the domain has for its
// commands: everything and view only see all, billing only no requests; and a
// contact of one property or unit sees nothing but what belongs there.

// seeBilling and seeService are the kinds of access that may look at quotes and
// invoices, and at requests.
const (
	seeBilling = "'everything', 'billing', 'view'"
	seeService = "'everything', 'view'"
)

// only adds that a customer sees records of their own, and no others. alias is
// the table's in the query.
func (q *query) only(who api.Principal, alias, access string) {
	if who.IsCustomer() {
		q.and(alias+".customer_id = ? AND "+within(alias, access), who.CustomerID, who.ContactID)
	}
}

// within is the condition that the rights of a contact of the record's customer
// reach the record. Its one argument is the contact's id.
func within(alias, access string) string {
	return fmt.Sprintf(`EXISTS (
		SELECT FROM contacts may
		WHERE may.customer_id = %[1]s.customer_id AND may.contact_id = ? AND may.access IN (%[2]s)
		  AND may.property_id IN ('', %[1]s.property_id) AND may.unit_id IN ('', %[1]s.unit_id))`, alias, access)
}

// onlyEntries adds that a customer sees, of the timeline, what is about their
// own records and not internal. A contact whose rights are limited sees the
// entries of the records that they reach.
func (q *query) onlyEntries(who api.Principal) {
	if !who.IsCustomer() {
		return
	}
	q.and("e.customer_id = ? AND NOT e.type = ANY (?)", who.CustomerID, internal)
	q.and(`EXISTS (
			SELECT FROM contacts may
			WHERE may.customer_id = e.customer_id AND may.contact_id = ?
			  AND may.access IN (`+seeService+`) AND may.property_id = '' AND may.unit_id = '')
		OR e.record_kind = 'quote' AND EXISTS (
			SELECT FROM quotes r WHERE r.quote_id = e.record_id AND `+within("r", seeBilling)+`)
		OR e.record_kind = 'invoice' AND EXISTS (
			SELECT FROM invoices r WHERE r.invoice_id = e.record_id AND `+within("r", seeBilling)+`)
		OR e.record_kind = 'request' AND EXISTS (
			SELECT FROM requests r WHERE r.request_id = e.record_id AND `+within("r", seeService)+`)`,
		who.ContactID, who.ContactID, who.ContactID, who.ContactID)
}

// internal are the types of events that are the business's own: drafts, and
// steps on the way to an answer.
var internal = []string{
	"QuoteDrafted", "QuoteRevised", "InvoiceDrafted", "InvoiceRevised", "InvoiceFrozen", "InvoiceNumberTaken", "RequestTriaged",
}
