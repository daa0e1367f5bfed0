package timeline

import (
	"cmp"
	"strings"
	"time"
	_ "time/tzdata" // a bare machine has no time zones

	"github.com/google/uuid"

	"portal.example/domain"
	"portal.example/domain/money"
	"portal.example/eventstore"
)

// Entry is a row of the timeline, as far as its sentence needs it.
type Entry struct {
	Type       string
	ActorKind  string
	ActorID    string
	Origin     string
	OccurredAt time.Time
	CustomerID string
	RecordID   string
	Args       Args
}

// Names are what people call what the ids of entries stand for. A name that is
// there and empty has been erased.
type Names struct {
	Contacts  map[string]string
	Customers map[string]string
	Records   map[string]string // quotes, invoices, requests
	Places    map[string]string // properties and units
}

// language is how the timeline speaks.
type language struct {
	sentences map[string]string // by the event's type
	words     map[string]string
	person    func(name string) string
	team      func(handler, team string) string
	when      func(text string) string
	date      func(time.Time) string
	moment    func(time.Time) string
	amount    func(money.Money) string
}

// Sentence says what happened, to a reader of the language (en or ja), with
// times in the zone and labelled.
func Sentence(lang string, zone *time.Location, names Names, e Entry) string {
	l := english
	if lang == domain.Japanese {
		l = japanese
	}
	template, ok := l.sentences[e.Type]
	if !ok {
		return e.Type // of a newer program
	}
	s := sentence{Entry: e, language: l, zone: zone, names: names}
	return s.expand(template)
}

type sentence struct {
	Entry
	language
	zone  *time.Location
	names Names
}

// expand fills in a template. What stands in brackets is left out where an
// argument in it is missing; elsewhere a missing one is named by a word.
func (s sentence) expand(template string) string {
	var text strings.Builder
	for template != "" {
		plain, rest, found := strings.Cut(template, "[")
		text.WriteString(s.fill(plain))
		if !found {
			break
		}
		optional, after, _ := strings.Cut(rest, "]")
		if s.has(optional) {
			text.WriteString(s.fill(optional))
		}
		template = after
	}
	return text.String()
}

func (s sentence) has(template string) bool {
	for _, argument := range arguments(template) {
		if s.argument(argument) == "" {
			return false
		}
	}
	return true
}

func (s sentence) fill(template string) string {
	var text strings.Builder
	for {
		plain, rest, found := strings.Cut(template, "{")
		text.WriteString(plain)
		if !found {
			return text.String()
		}
		var name string
		name, template, _ = strings.Cut(rest, "}")
		text.WriteString(cmp.Or(s.argument(name), s.words["somebody"]))
	}
}

func arguments(template string) []string {
	var found []string
	for {
		_, rest, opened := strings.Cut(template, "{")
		name, after, closed := strings.Cut(rest, "}")
		if !opened || !closed {
			return found
		}
		found, template = append(found, name), after
	}
}

// argument is what stands for an argument; empty if the event has none.
func (s sentence) argument(name string) string {
	a := s.Args
	switch name {
	case "when":
		return s.language.when(s.moment(s.OccurredAt))
	case "actor":
		return s.actor()
	case "contact":
		return s.contact(a.About)
	case "customer":
		return s.named(s.names.Customers, s.CustomerID)
	case "record":
		return label(s.names.Records, s.RecordID)
	case "invoice":
		return label(s.names.Records, a.Invoice)
	case "place":
		if a.Unit != "" {
			return s.called(s.names.Places, a.Unit)
		}
		return s.called(s.names.Places, a.Property)
	case "handler":
		return s.handler()
	default:
		return s.value(name)
	}
}

// value is an argument that needs no name looked up.
func (s sentence) value(name string) string {
	a := s.Args
	switch name {
	case "amount":
		return s.money(a.Amount)
	case "surplus":
		return s.money(a.Surplus)
	case "expires":
		if a.Expires == nil {
			return ""
		}
		return s.language.moment(a.Expires.In(s.zone))
	case "due":
		due, err := time.Parse(time.DateOnly, a.Due)
		if err != nil {
			return "" // there is none
		}
		return s.date(due)
	case "number":
		return number(a.Number)
	case "version":
		return number(int64(a.Version))
	case "name":
		return a.Name
	case "step":
		return a.Step
	default:
		return s.word(name)
	}
}

// word is an argument with few values, each of which a language has a word for.
func (s sentence) word(name string) string {
	var value string
	switch name {
	case "access":
		value = s.Args.Access
	case "source":
		value = s.Args.SourceKind
	case "forum":
		value = s.Args.Forum
	case "outcome":
		value = s.Args.Outcome
	case "method":
		value = s.Args.Method
	case "next":
		value = s.Args.Next
	case "channel":
		value = s.Args.Channel
	}
	if word, known := s.words[name+" "+value]; known {
		return s.fill(word)
	}
	if general, known := s.words[name]; known && value != "" {
		return strings.Replace(general, "{"+name+"}", value, 1)
	}
	return value
}

// actor is who acted. The portal itself is not named: nobody did it.
func (s sentence) actor() string {
	switch eventstore.ActorKind(s.ActorKind) {
	case eventstore.ActorContact:
		return s.contact(s.ActorID)
	case eventstore.ActorStaff, eventstore.ActorStaffAsContact:
		if uuid.Validate(s.ActorID) != nil {
			return s.team(s.ActorID, s.words["staff"]) // the business's own name for them
		}
		return s.words["staff"]
	case eventstore.ActorIntegration:
		return s.words["integration"]
	case eventstore.ActorSystem:
		return s.contact(s.Args.Contact) // whom a history names that was brought in
	}
	return ""
}

func (s sentence) contact(id string) string { return s.named(s.names.Contacts, id) }

func (s sentence) handler() string {
	handler, team := s.Args.Handler, s.Args.Team
	if handler != "" && team != "" {
		return s.team(handler, team)
	}
	return handler + team
}

// named is how a person is addressed.
func (s sentence) named(names map[string]string, id string) string {
	if name := names[id]; name != "" {
		return s.person(name)
	}
	return s.called(names, id)
}

func (s sentence) called(names map[string]string, id string) string {
	name, known := names[id]
	switch {
	case id == "":
		return ""
	case !known:
		return s.words["somebody"]
	case name == "":
		return s.words["erased"]
	}
	return name
}

// label is what a record is called: its number or reference, or else the
// beginning of its id.
func label(names map[string]string, id string) string {
	if name := names[id]; name != "" {
		return name
	}
	return id[:min(len(id), 8)]
}
