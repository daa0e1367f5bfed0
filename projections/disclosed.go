package projections

import "slices"

// disclosed are the texts of read models that tell nothing about a person, by
// table: those that come from fields which the log does not seal. Only they are
// exported to whoever has no right to personal data. Ids, figures and times are
// not personal, and are not listed.
var disclosed = map[string][]string{
	"businesses":    {"slug", "name", "currency", "time_zone", "language"},
	"customers":     {"reference", "language"},
	"contacts":      {"language", "access"},
	"quotes":        {"reference", "currency", "status"},
	"invoices":      {"reference", "currency", "status"},
	"requests":      {"kind", "channel", "reference", "status", "handler", "team"},
	"request_steps": {"step", "handler", "team"},
	// The timeline is given events with their personal fields sealed.
	"timeline": {"record_kind", "type", "actor_kind", "acting_for", "signed_in_by", "origin", "args"},
}

// Disclosed tells whether a text of a read model tells nothing about a person.
// Of tables and columns that it does not know it says no.
func Disclosed(table, column string) bool { return slices.Contains(disclosed[table], column) }
