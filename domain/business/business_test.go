package business_test

import (
	"testing"
	"time"
	_ "time/tzdata" // so that the zones are there on any machine

	"portal.example/domain/business"
	"portal.example/domain/domaintest"
)

type decision = domaintest.Case[business.State, business.Event]

var (
	at         = domaintest.Noon
	registered = business.Registered{
		BusinessID: domaintest.ID(1), Slug: "rossi-idraulica", Name: "Rossi Idraulica",
		Currency: "EUR", TimeZone: "Europe/Rome", Language: "en", At: at,
	}
)

func register(t *testing.T, change func(*business.Register)) business.Register {
	t.Helper()
	rome, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	c := business.Register{
		BusinessID: domaintest.ID(1), Slug: "rossi-idraulica", Name: "Rossi Idraulica",
		Currency: "EUR", TimeZone: rome, Language: "en", At: at,
	}
	change(&c)
	return c
}

func TestRegister(t *testing.T) {
	t.Parallel()
	domaintest.Run(t, []decision{
		{
			Name: "with its portal open",
			When: register(t, func(*business.Register) {}),
			Then: []business.Event{registered, business.PortalOpened{At: at}},
		},
		{
			Name:    "twice",
			Given:   []business.Event{registered},
			When:    register(t, func(*business.Register) {}),
			Refused: business.ErrExists,
		},
		{
			Name: "with nothing right",
			When: business.Register{Slug: "-Rossi", Currency: "LIT", Language: "it"},
			Faults: []string{
				"businessId: not_an_id", "slug: not_a_slug", "name: required", "currency: unknown_currency",
				"timeZone: not_a_time_zone", "language: not_one_of", "at: not_a_time",
			},
		},
		{
			Name:   "in the time zone of whatever machine this is",
			When:   register(t, func(c *business.Register) { c.TimeZone = time.Local }),
			Faults: []string{"timeZone: not_a_time_zone"},
		},
		{
			Name:   "under a slug that ends in a dash",
			When:   register(t, func(c *business.Register) { c.Slug = "rossi-" }),
			Faults: []string{"slug: not_a_slug"},
		},
	})
}

func TestPortal(t *testing.T) {
	t.Parallel()
	open := []business.Event{registered, business.PortalOpened{At: at}}
	closed := []business.Event{registered, business.PortalOpened{At: at}, business.PortalClosed{At: at}}
	domaintest.Run(t, []decision{
		{Name: "close", Given: open, When: business.ClosePortal{At: at}, Then: []business.Event{business.PortalClosed{At: at}}},
		{Name: "close again", Given: closed, When: business.ClosePortal{At: at}},
		{Name: "open", Given: closed, When: business.OpenPortal{At: at}, Then: []business.Event{business.PortalOpened{At: at}}},
		{Name: "open again", Given: open, When: business.OpenPortal{At: at}},
		{Name: "open nothing", When: business.OpenPortal{At: at}, Refused: business.ErrNotFound},
		{Name: "close nothing", When: business.ClosePortal{At: at}, Refused: business.ErrNotFound},
	})
}

func TestState(t *testing.T) {
	t.Parallel()
	s := business.State{}.Evolve(registered).Evolve(business.PortalOpened{At: at})
	want := business.State{
		ID: domaintest.ID(1), Slug: "rossi-idraulica", Name: "Rossi Idraulica",
		Currency: "EUR", TimeZone: "Europe/Rome", Language: "en", Open: true, Version: 2,
	}
	if s != want || s.DocumentVersion() != 2 {
		t.Errorf("got %+v, want %+v", s, want)
	}
}

func TestStored(t *testing.T) {
	domaintest.Stored(t, business.Types, []business.Event{
		registered,
		business.PortalOpened{At: at},
		business.PortalClosed{At: at},
	})
}
