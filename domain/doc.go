// Package domain is the room of the business rules: what happened (events),
// what follows from it (state) and what may happen next (decisions). The room
// is pure: no input or output, no clock, no ids made inside; it imports the
// standard library and itself.
//
// # Streams
//
// A stream is one record's history and the unit of consistency. Its name is
// its category, which has no dash, then a dash, then an id:
//
//	business-<business>         package business   one business and its settings
//	claim-<hash>                package claim      who owns a slug, a domain, a login
//	customer-<customer>         package customer   contacts, rights, properties, units
//	quote-<quote>               package quote      one quote with all its versions
//	invoice-<invoice>           package invoice    one invoice, its charges, payments, disputes
//	invoiceregister-<business>  package register   the nth event is invoice number n
//	payment-<payment>           package payment    money that arrived and where it went
//	account-<customer>          package account    the customer's credit
//	request-<request>           package request    work asked for, and what became of it
//
// Ids are UUIDs in their lower-case form, derived from the command that made
// the record; they are plain strings here.
//
// # A capability
//
// Every capability reads in the same order:
//
//   - events.go: the sealed Event, the structs, and Types, the names under
//     which the log stores them. Those names and the JSON of the structs are
//     storage: add to them, never change them. The files under testdata show
//     what is stored.
//   - state.go: State and its Evolve, which folds one event in. Evolve is
//     pure, never fails, and never changes the state it was called on, because
//     states are cached and shared. The zero State is a record that does not
//     exist.
//   - decisions.go: a struct for each use case, named by its verb, whose
//     Decide turns a State into new events, or into nothing new, or into an
//     *Error. The clock and the ids come in with the command. Where it would
//     grow long, a group of decisions has a file of its own (quote/answers.go,
//     invoice/settlement.go, invoice/disputes.go).
//   - shown.go, for documents: what a reader has before them, whose hash stands
//     in views and signatures.
//
// A decision looks at things in one order: may this actor say it at all; does
// the record exist; is the command well formed (every field at fault is named);
// was it said before (then nothing new); does the state allow it.
//
// Who belongs to which business and customer is decided before, by whoever
// sends the command: a decision sees one stream.
//
// # Conventions of events
//
// Each event says when it happened: At, which an import takes from the history
// it reads. When the log learnt it, who did it, from which session and by
// which business are in the metadata. Each event of a customer's record names
// the customer, so that a projection need not look it up.
//
// A field tagged `personal:"ContactID"` belongs to the person whose id is in
// the field of that name, in the same struct or in the nearest struct around
// it; it is stored encrypted and becomes empty when the person is erased. Free
// text belongs to the record's customer. A state may keep such a field to show
// it; no decision may hang on it.
package domain
