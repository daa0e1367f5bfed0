package readapi

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/text/language"

	"portal.example/projections/timeline"
)

// teller makes entries of rows: it looks up what the ids are called, all at
// once, and says the sentences.
type teller struct {
	*reader
	business *businessRow
}

type businessRow struct {
	TimeZone, Language string
}

func (t *teller) tell(ctx context.Context, how Spoken, rows []entryRow) ([]Entry, error) {
	zone, lang := time.UTC, ""
	if t.business != nil {
		lang = t.business.Language
		if found, err := zoneNamed(t.business.TimeZone); err == nil {
			zone = found // a name that was good where it was registered may be unknown here
		}
	}
	names, err := t.names(ctx, rows)
	if err != nil {
		return nil, err
	}
	lang = how.language(lang)
	items := make([]Entry, len(rows))
	for i, row := range rows {
		items[i] = row.entry(zone, names)
		items[i].Sentence = timeline.Sentence(lang, zone, names, timeline.Entry{
			Type: row.Type, ActorKind: row.ActorKind, ActorID: row.ActorID, Origin: row.Origin, OccurredAt: row.OccurredAt,
			CustomerID: row.CustomerID, RecordID: row.RecordID, Args: row.Args,
		})
		if t.who.IsCustomer() {
			items[i].Session = ""
		}
	}
	return items, nil
}

func (row entryRow) entry(zone *time.Location, names timeline.Names) Entry {
	return Entry{
		ID: row.EventID, Type: row.Type, OccurredAt: row.OccurredAt, RecordedAt: row.RecordedAt,
		LocalTime: row.OccurredAt.In(zone).Format(time.RFC3339), TimeZone: zone.String(),
		Actor:      Actor{Kind: row.ActorKind, ID: row.ActorID, Name: names.Contacts[row.ActorID], ActingFor: row.ActingFor},
		SignedInBy: row.SignedInBy, Session: row.SessionID, Origin: row.Origin, CustomerID: row.CustomerID,
		Record: Record{Kind: row.RecordKind, ID: row.RecordID, Label: names.Records[row.RecordID]},
		Args:   row.Args, Revision: row.Revision,
	}
}

// names looks up what the ids in the rows are called.
func (t *teller) names(ctx context.Context, rows []entryRow) (timeline.Names, error) {
	var people, customers, records, places []string
	for _, row := range rows {
		people = append(people, row.ActorID, row.ActingFor, row.Args.Contact, row.Args.About)
		customers = append(customers, row.CustomerID)
		records = append(records, row.RecordID, row.Args.Invoice)
		places = append(places, row.Args.Property, row.Args.Unit)
	}
	names := timeline.Names{
		Contacts: make(map[string]string), Customers: make(map[string]string),
		Records: make(map[string]string), Places: make(map[string]string),
	}
	t.lookUp(names.Contacts, people, `SELECT contact_id, name FROM contacts WHERE contact_id = ANY ($1)`)
	t.lookUp(names.Customers, customers, `SELECT customer_id, name FROM customers WHERE customer_id = ANY ($1)`)
	t.lookUp(names.Records, records, `
		SELECT quote_id, reference FROM quotes WHERE quote_id = ANY ($1)
		UNION ALL SELECT request_id, reference FROM requests WHERE request_id = ANY ($1)
		UNION ALL SELECT invoice_id, CASE WHEN number > 0 THEN number::text ELSE reference END FROM invoices WHERE invoice_id = ANY ($1)`)
	// Their own ids are not indexed: there are few to a customer.
	t.lookUp(names.Places, places, `
		SELECT property_id, name FROM properties WHERE property_id = ANY ($1) AND customer_id = ANY ($2)
		UNION ALL SELECT unit_id, name FROM units WHERE unit_id = ANY ($1) AND customer_id = ANY ($2)`, customers)
	return names, t.flush(ctx)
}

func (t *teller) lookUp(into map[string]string, ids []string, sql string, more ...any) {
	ids = distinct(ids)
	if len(ids) == 0 {
		return
	}
	var found []named
	scan := records(&found)
	t.queue(func(rows pgx.Rows) error {
		err := scan(rows)
		for _, n := range found {
			into[n.ID] = n.Name
		}
		return err
	}, "SELECT id, name FROM ("+sql+") AS called (id, name)", append([]any{ids}, more...)...)
}

type named struct{ ID, Name string }

func distinct(ids []string) []string {
	seen := make(map[string]bool, len(ids))
	var result []string
	for _, id := range ids {
		if id != "" && !seen[id] {
			seen[id] = true
			result = append(result, id)
		}
	}
	return result
}

// spokenLanguages are in the order of matcher's answers.
var (
	spokenLanguages = []string{"en", "ja"}
	matcher         = language.NewMatcher([]language.Tag{language.English, language.Japanese})
)

// language is the one that the reader asks for, or else the business's.
func (s Spoken) language(business string) string {
	if s.Lang != "" {
		return s.Lang
	}
	wanted, _, err := language.ParseAcceptLanguage(s.AcceptLanguage)
	if err != nil || len(wanted) == 0 {
		return business
	}
	_, index, confidence := matcher.Match(wanted...)
	if confidence == language.No {
		return business
	}
	return spokenLanguages[index]
}

var zones sync.Map // name → *time.Location, of which there are some hundreds

func zoneNamed(name string) (*time.Location, error) {
	if known, ok := zones.Load(name); ok {
		return known.(*time.Location), nil
	}
	zone, err := time.LoadLocation(name)
	if err == nil {
		zones.Store(name, zone)
	}
	return zone, err
}
