package customer

import "portal.example/domain"

// Rights is what a contact may see and do, and where.
type Rights struct {
	Access     Access `json:"access"`
	PropertyID string `json:"propertyId,omitempty"` // that property only; empty: all of them
	UnitID     string `json:"unitId,omitempty"`     // that unit of the property only
}

// Access is what a contact may see and do.
type Access string

// The kinds of access.
const (
	Everything  Access = "everything"
	BillingOnly Access = "billing" // quotes and invoices, to see and to act on
	ViewOnly    Access = "view"    // to see everything and act on nothing
)

// Action is something that a contact wants to do.
type Action string

// The actions that rights tell apart.
const (
	SeeBilling   Action = "see-billing"    // look at quotes and invoices
	ActOnBilling Action = "act-on-billing" // approve, decline, pay, dispute
	SeeService   Action = "see-service"    // look at requests
	AskService   Action = "ask-service"    // file requests and answer about them
)

// Allow says whether the rights allow the action on a record of that place. A
// contact of one property sees nothing of the customer as a whole, and a tenant
// sees nothing but their unit.
func (r Rights) Allow(action Action, on domain.Place) bool {
	if r.PropertyID != "" && r.PropertyID != on.PropertyID || r.UnitID != "" && r.UnitID != on.UnitID {
		return false
	}
	switch r.Access {
	case Everything:
		return true
	case BillingOnly:
		return action == SeeBilling || action == ActOnBilling
	case ViewOnly:
		return action == SeeBilling || action == SeeService
	}
	return false
}

func (r Rights) check(check *domain.Check, s State) {
	domain.OneOf(check, "rights.access", r.Access, Everything, BillingOnly, ViewOnly)
	if !s.Has(domain.Place{PropertyID: r.PropertyID, UnitID: r.UnitID}) {
		check.Fail("rights.propertyId", "unknown_place", "must be a property of the customer, and a unit of that property")
	}
}
