package demo

import (
	"slices"
	"testing"
	"time"

	"portal.example/internal/importing"
)

var until = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestTheDemoHasWhatItPromises(t *testing.T) {
	t.Parallel()
	h := New(1, until)
	customers := map[string]importing.Customer{}
	for file, want := range map[*importing.File]int{
		&h.Invoices: Full.Invoices, &h.Requests: Full.Requests, &h.Quotes: Full.Quotes,
	} {
		if len(file.Cases) != want {
			t.Errorf("%d cases of %s, want %d", len(file.Cases), file.Format.Name, want)
		}
		for _, c := range file.Cases {
			about := h.About(c.ID)
			if about.Title == "" {
				t.Fatalf("nothing is known about case %s", c.ID)
			}
			customers[about.Customer.Key] = about.Customer
			for _, row := range c.Rows {
				date := row.Fields[3][:len(dateStyle)]
				if since := about.Customer.Since.Format(dateStyle); date < since || date > until.Format(dateStyle) {
					t.Fatalf("case %s has a row of %s; its customer came on %s", c.ID, date, since)
				}
			}
		}
	}
	if len(customers) != Full.Customers {
		t.Errorf("%d customers, want %d", len(customers), Full.Customers)
	}
}

func TestTheSameSeedAndDayMakeTheSameDemo(t *testing.T) {
	t.Parallel()
	rows := func(h History) (all [][]string) {
		for _, f := range []importing.File{h.Invoices, h.Requests, h.Quotes} {
			for _, c := range f.Cases {
				for _, r := range c.Rows {
					all = append(all, append(r.Fields, h.About(c.ID).Customer.Key, h.About(c.ID).Title))
				}
			}
		}
		return all
	}
	first := rows(New(1, until))
	if !slices.EqualFunc(first, rows(New(1, until.Add(time.Hour))), slices.Equal) {
		t.Error("two of the same differ")
	}
	if slices.EqualFunc(first, rows(New(2, until)), slices.Equal) {
		t.Error("another seed makes the same")
	}
}
