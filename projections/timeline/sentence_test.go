package timeline

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portal.example/domain/domaintest"
	"portal.example/eventstore"
	"portal.example/projections/projectiontest"
)

// chicago is where the tests' business is; they begin at 7 in the morning there.
func chicago(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// everyName is a name for every id of the domain's examples.
func everyName() Names {
	names := Names{
		Contacts: map[string]string{domaintest.Dana.ID: "Dana Reyes"}, Customers: map[string]string{},
		Records: map[string]string{}, Places: map[string]string{},
	}
	for n := range 1000 {
		id := domaintest.ID(n)
		if _, known := names.Contacts[id]; !known {
			names.Contacts[id] = "Kim Park"
		}
		names.Customers[id], names.Records[id], names.Places[id] = "Reyes Ltd", "R-7", "Villa Rosa"
	}
	return names
}

// The sentences of every event of the domain, made of the examples that its
// golden files hold. UPDATE_GOLDEN writes them anew.
func TestSentences(t *testing.T) {
	t.Parallel()
	zone, names := chicago(t), everyName()
	types := projectiontest.Types()
	var text strings.Builder
	for _, name := range sorted(types) {
		facts, ok := factsOf(example(t, name, types[name]))
		if !ok || facts.at.IsZero() {
			t.Errorf("%s: the timeline does not take anything from it", name)
			continue
		}
		fmt.Fprintln(&text, name)
		for _, actor := range actorsOf(name) {
			entry := Entry{
				Type: name, ActorKind: string(actor.Kind), ActorID: actor.ID, Origin: string(eventstore.OriginLive),
				OccurredAt: facts.at, CustomerID: facts.customer, RecordID: domaintest.ID(1), Args: facts.args,
			}
			for lang, spoken := range map[string]language{"en": english, "ja": japanese} {
				if spoken.sentences[name] == "" {
					t.Errorf("%s has no sentence in %s", name, lang)
				}
				if said := Sentence(lang, zone, names, entry); strings.Contains(said, spoken.words["somebody"]) {
					t.Errorf("%s, %s: an argument is missing: %s", name, lang, said)
				}
			}
			fmt.Fprintf(&text, "  %s\n  %s\n", Sentence("en", zone, names, entry), Sentence("ja", zone, names, entry))
		}
	}
	compare(t, "testdata/sentences.txt", text.String())
}

func sorted(types map[string]any) []string {
	var names []string
	for name := range types {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// actorsOf are who might have done it: what only contacts do, a contact did.
func actorsOf(name string) []eventstore.Actor {
	if strings.Contains(english.sentences[name], "{actor} in the portal") {
		return []eventstore.Actor{projectiontest.Dana}
	}
	if strings.HasSuffix(name, "ViewedByStaff") {
		return []eventstore.Actor{projectiontest.AsDana}
	}
	return []eventstore.Actor{projectiontest.Sam, projectiontest.Portal}
}

func example(t *testing.T, name string, shape any) any {
	t.Helper()
	var files []string
	for _, depth := range []string{"*", "*/*"} {
		found, err := filepath.Glob("../../domain/" + depth + "/testdata/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	event := reflect.New(reflect.TypeOf(shape))
	if len(files) != 1 {
		t.Fatalf("%s has examples %v", name, files)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, event.Interface()); err != nil {
		t.Fatal(err)
	}
	return event.Elem().Interface()
}

func compare(t *testing.T, file, got string) {
	t.Helper()
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-golden +now):\n%s", file, diff)
	}
}

// What the examples of the domain do not show.
func TestSentenceCases(t *testing.T) {
	t.Parallel()
	viewed := Entry{
		Type: "QuoteViewed", ActorKind: "contact", ActorID: "c", Origin: "live",
		OccurredAt: time.Date(2026, 3, 14, 20, 42, 0, 0, time.UTC), RecordID: "q",
	}
	dana := Names{Contacts: map[string]string{"c": "Dana Reyes"}, Records: map[string]string{"q": "Q-1042"}}
	with := func(change func(*Entry)) Entry {
		entry := viewed
		change(&entry)
		return entry
	}
	rome, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	saoPaulo, err := time.LoadLocation("America/Sao_Paulo")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		lang  string
		zone  *time.Location
		names Names
		entry Entry
		want  string
	}{
		"a view": {
			"en", chicago(t), dana, viewed,
			"Quote Q-1042 was viewed by Dana Reyes in the portal on March 14, 2026 at 3:42 PM CDT",
		},
		"a view, in Japanese": {
			"ja", chicago(t), dana, viewed, "2026年3月14日15時42分（CDT）、Dana Reyes様がポータルで見積書Q-1042を閲覧しました",
		},
		"a zone without a name of its own": {
			"en", saoPaulo, dana, viewed,
			"Quote Q-1042 was viewed by Dana Reyes in the portal on March 14, 2026 at 5:42 PM UTC-03:00",
		},
		"somebody erased": {
			"en", chicago(t),
			Names{Contacts: map[string]string{"c": ""}, Records: dana.Records},
			viewed,
			"Quote Q-1042 was viewed by [erased] in the portal on March 14, 2026 at 3:42 PM CDT",
		},
		"a name like a template": {
			"en", chicago(t),
			Names{Contacts: map[string]string{"c": "{record} [x]"}, Records: dana.Records},
			viewed,
			"Quote Q-1042 was viewed by {record} [x] in the portal on March 14, 2026 at 3:42 PM CDT",
		},
		"a step of a history, by the staff and team it names": {
			"en", rome,
			Names{Records: map[string]string{"q": "case-10011"}},
			with(func(e *Entry) {
				e.Type, e.ActorKind, e.Origin = "RequestTriaged", "system", "import"
				e.OccurredAt = time.Date(2011, 10, 12, 6, 26, 25, 0, time.UTC)
				e.Args = Args{Step: "T02 Check confirmation of receipt", Handler: "Resource10", Team: "Group 4"}
			}),
			"Request case-10011: “T02 Check confirmation of receipt” by Resource10 (Group 4) on October 12, 2011 at 8:26 AM CEST",
		},
		"a day of a history": {
			"en", rome,
			Names{Records: map[string]string{"q": "12"}},
			with(func(e *Entry) {
				e.Type, e.ActorKind, e.Origin = "InvoiceVoided", "system", "import"
				e.OccurredAt = time.Date(2006, 7, 23, 22, 0, 0, 0, time.UTC)
			}),
			"Invoice 12 was made void on July 24, 2006",
		},
		"midnight now": {
			"en", rome,
			Names{Records: map[string]string{"q": "12"}},
			with(func(e *Entry) {
				e.Type, e.ActorKind = "InvoiceVoided", "system"
				e.OccurredAt = time.Date(2006, 7, 23, 22, 0, 0, 0, time.UTC)
			}),
			"Invoice 12 was made void on July 24, 2006 at 12:00 AM CEST",
		},
		"a type of tomorrow": {"en", rome, Names{}, with(func(e *Entry) { e.Type = "QuoteSung" }), "QuoteSung"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Sentence(test.lang, test.zone, test.names, test.entry); got != test.want {
				t.Errorf("says  %s\nwants %s", got, test.want)
			}
		})
	}
}
