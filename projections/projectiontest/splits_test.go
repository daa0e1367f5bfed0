package projectiontest_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"portal.example/eventstore"
	"portal.example/projections/businesses"
	"portal.example/projections/customers"
	"portal.example/projections/invoices"
	"portal.example/projections/projectiontest"
	"portal.example/projections/quotes"
	"portal.example/projections/requests"
	"portal.example/projections/runner"
	"portal.example/projections/timeline"
)

var all = []runner.Projection{
	businesses.Projection{},
	customers.Projection{},
	invoices.Projection{},
	quotes.Projection{},
	requests.Projection{},
	timeline.Projection{},
}

// However the log is cut into batches, the tables are the same, row by row; and
// they agree with what the domain makes of the same events.
func TestBatchesDoNotMatter(t *testing.T) {
	t.Parallel()
	connections := make(map[string]*pgx.Conn)
	for _, p := range all {
		connections[p.Name()] = projectiontest.Connect(t, p)
	}
	rapid.Check(t, func(rt *rapid.T) {
		history := projectiontest.Draw(rt)
		cuts := split(rt, history.Events)
		for _, p := range all {
			conn := connections[p.Name()]
			whole := projectiontest.After(t.Context(), rt, conn, p, history.Events)
			single := projectiontest.After(t.Context(), rt, conn, p, oneByOne(history.Events)...)
			if diff := cmp.Diff(single, whole); diff != "" {
				rt.Fatalf("%s (-one by one +in one batch):\n%s", p.Name(), diff)
			}
			cut := projectiontest.After(t.Context(), rt, conn, p, cuts...)
			if diff := cmp.Diff(single, cut); diff != "" {
				rt.Fatalf("%s (-one by one +in batches):\n%s", p.Name(), diff)
			}
			compareWithDomain(rt, history, whole)
		}
	})
}

func oneByOne(events []eventstore.Decoded) [][]eventstore.Decoded {
	batches := make([][]eventstore.Decoded, len(events))
	for i := range events {
		batches[i] = events[i : i+1]
	}
	return batches
}

func split(t *rapid.T, events []eventstore.Decoded) [][]eventstore.Decoded {
	var batches [][]eventstore.Decoded
	for len(events) > 0 {
		n := rapid.IntRange(1, len(events)).Draw(t, "batch")
		batches, events = append(batches, events[:n]), events[n:]
	}
	return batches
}

// folded is what read models and domain both know.
type folded struct {
	Status                            string
	Version                           int
	Number                            int64
	Billed, Paid, Credit, Outstanding int64
	Disputed                          bool
	Held, OpenQuestions               int
	Waiting                           bool
}

func compareWithDomain(t *rapid.T, history *projectiontest.Random, tables map[string][]string) {
	want := make(map[string]folded)
	var key, kind string
	switch {
	case tables["invoices"] != nil:
		key, kind = "invoice_id", "invoices"
		for id, s := range history.Invoices {
			if s.ID != "" {
				want[id] = folded{
					Status: string(s.Status), Version: s.Version, Number: s.Number,
					Billed: s.Billed.Amount, Paid: s.Paid.Amount, Credit: s.Credit.Amount,
					Outstanding: s.Balance().Amount, Disputed: s.Disputed(),
				}
			}
		}
	case tables["quotes"] != nil:
		key, kind = "quote_id", "quotes"
		for id, s := range history.Quotes {
			if s.ID == "" {
				continue
			}
			f := folded{Status: string(s.Status), Version: s.Version, Held: s.Held}
			for _, question := range s.Questions {
				if !question.Answered {
					f.OpenQuestions++
				}
			}
			want[id] = f
		}
	case tables["requests"] != nil:
		key, kind = "request_id", "requests"
		for id, s := range history.Requests {
			if s.ID != "" {
				want[id] = folded{Status: string(s.Status), Version: s.Version, Waiting: !s.Waiting.IsZero()}
			}
		}
	default:
		return
	}
	got := make(map[string]folded)
	for _, text := range tables[kind] {
		var row struct {
			folded
			OpenQuestions int     `json:"open_questions"`
			WaitingSince  *string `json:"waiting_since"`
		}
		var ids map[string]any
		if err := json.Unmarshal([]byte(text), &row); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(text), &ids); err != nil {
			t.Fatal(err)
		}
		f := row.folded
		f.OpenQuestions, f.Waiting = row.OpenQuestions, row.WaitingSince != nil
		got[ids[key].(string)] = f
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s (-domain +table):\n%s", kind, diff)
	}
}
