package demo

import (
	"fmt"
	"time"

	"portal.example/domain"
	"portal.example/internal/importing"
)

// Nobody is called like this, and nothing reaches them: example.com and the
// numbers 555-01xx are set aside for examples.
var (
	firstNames = []string{
		"Sample", "Trial", "Placeholder", "Fictional", "Invented", "Example", "Demo", "Mock", "Imaginary", "Pretend",
		"Dummy", "Specimen", "Model", "Notional", "Madeup", "Stand-in", "Nominal", "Supposed", "Test", "Draft",
	}
	lastNames = []string{
		"Plumwick", "Tapworth", "Drainfield", "Boilerby", "Gutterson", "Spannerley", "Mopsworth", "Tileman", "Hedgerow", "Lanternby",
		"Windowsill", "Doorley", "Carpetson", "Chimneyford", "Fencewell", "Paintbridge", "Ladderby", "Kettleham", "Brickley", "Sawyerton",
	}
	japaneseNames = []string{"見本 太郎", "見本 花子", "架空 一郎", "架空 さくら", "例示 健", "例示 葵", "仮名 翼", "仮名 美咲"}

	jobs = []string{
		"Boiler service", "Drain unblocked", "Tap replaced", "Gutters cleaned", "Windows cleaned", "Carpet cleaned",
		"Lock replaced", "Radiator bled", "Leak repaired", "End-of-tenancy cleaning", "Fence repaired", "Smoke alarms checked",
	}
	wishes = []string{
		"Water under the sink", "No hot water", "A quote for a new bathroom", "Cleaning before we move in",
		"A window that does not close", "Yearly boiler service", "Photographs of the house", "A blocked drain",
	}
	projects = []string{
		"New bathroom", "Boiler replacement", "Kitchen taps and sink", "Double glazing, front", "Garden fence", "Roof gutters renewed",
		"Underfloor heating", "Weekly cleaning, half a year", "Rewiring of the cellar", "Solar panels for hot water",
	}
	objections = []string{"Could it be done for less?", "Could you leave out the tiles?", "We would need it two weeks later."}
	reasons    = []string{"Another offer was cheaper", "We do it ourselves", "Not this year", "We are moving after all"}
	triage     = []string{
		"Read and sorted", "Customer called back", "Photos looked at", "Availability checked", "Estimate drafted", "Estimate checked",
	}
	staff = []string{"Robin (office)", "Kim (office)", "Alex (technician)", "Sasha (technician)"}
	teams = []string{"Office", "Field"}
)

// person is the demo's customer number i. One in ten writes Japanese.
func person(i int, since time.Time) importing.Customer {
	name := firstNames[i%len(firstNames)] + " " + lastNames[i/len(firstNames)%len(lastNames)]
	language := domain.English
	if i%10 == 9 {
		name, language = japaneseNames[i/10%len(japaneseNames)], domain.Japanese
	}
	return importing.Customer{
		Key: CustomerKey(i), Reference: fmt.Sprintf("C-%04d", i+1), Name: name, Language: language, Since: since,
		Contact: &importing.Contact{
			Name: name, Email: fmt.Sprintf("customer%04d@example.com", i+1), Phone: fmt.Sprintf("+1 555 01%02d", i%100),
		},
		Address: fmt.Sprintf("%d Example Street\nSampleville", i+1),
	}
}

// CustomerKey is the key of customer number i, by which importing finds their
// ids.
func CustomerKey(i int) string { return fmt.Sprintf("demo %04d", i+1) }
