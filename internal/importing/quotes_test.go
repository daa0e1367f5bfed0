package importing_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portal.example/domain"
	"portal.example/domain/quote"
	"portal.example/eventstore"
	"portal.example/internal/importing"
)

// withContact is a customer of whom a person is known.
func withContact(caseID string) importing.Subject {
	return importing.Subject{
		Title: "New fence",
		Customer: importing.Customer{
			Key: caseID, Reference: caseID, Name: "Dana Reyes", Language: domain.English,
			Contact: &importing.Contact{Name: "Dana Reyes", Email: "dana@example.com"},
		},
	}
}

func (l *lab) runQuotes(
	t *testing.T, about func(string) importing.Subject, rows ...[]string,
) (sum importing.Summary, refusals []importing.Refusal) {
	t.Helper()
	l.open(t, func(client *eventstore.Client) {
		importer := &importing.Importer{
			Log: client, Codec: l.codec, Secret: []byte("secret"), Now: now, Business: l.business, About: about,
		}
		var err error
		if sum, refusals, err = importer.Run(t.Context(), importing.NewFile(importing.Quotes, rows)); err != nil {
			t.Fatal(err)
		}
	})
	return sum, refusals
}

var (
	drafted  = []string{"Q1", "0", "Drafted", "2026-01-05T08:00:00Z", "90000", "2026-02-05T08:00:00Z", ""}
	sent     = []string{"Q1", "1", "Sent", "2026-01-05T09:00:00Z", "", "", ""}
	viewed   = []string{"Q1", "2", "Viewed", "2026-01-05T19:30:00Z", "", "", ""}
	objected = []string{"Q1", "3", "Changes requested", "2026-01-05T19:40:00Z", "", "", "Without the gate, please"}
	revised  = []string{"Q1", "4", "Revised", "2026-01-06T08:00:00Z", "80000", "2026-02-06T08:00:00Z", ""}
	resent   = []string{"Q1", "5", "Sent", "2026-01-06T08:05:00Z", "", "", ""}
	approved = []string{"Q1", "6", "Approved", "2026-01-07T18:00:00Z", "", "", ""}
)

func TestWhatTheRowsOfAQuoteMean(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	rows := [][]string{drafted, sent, viewed, objected, revised, resent, approved}
	// A run that was interrupted goes on where it ended.
	if sum, refusals := l.runQuotes(t, withContact, rows[:4]...); sum.Imported != 4 || len(refusals) > 0 {
		t.Fatalf("the first run did %+v: %v", sum, refusals)
	}
	if sum, refusals := l.runQuotes(t, withContact, rows...); sum.Events != 3 || len(refusals) > 0 {
		t.Fatalf("the second run did %+v: %v", sum, refusals)
	}
	if sum, _ := l.runQuotes(t, withContact, rows...); sum != (importing.Summary{Read: 7, Imported: 7}) {
		t.Errorf("the third run did %+v", sum)
	}
	for _, events := range l.history(t) {
		if _, is := events[0].Event.(quote.Drafted); !is {
			continue
		}
		q := fold[quote.State, quote.Event](events)
		if q.Status != quote.StatusApproved || q.Approval.Version != 2 || q.Approval.Total.Amount != 80000 ||
			q.Approval.ContactID != importing.ContactID(l.business, "Q1") || q.Reference != "Q1" {
			t.Errorf("the quote is %+v", q)
		}
		if at := events[2].Metadata.OccurredAt; !at.Equal(time.Date(2026, 1, 5, 19, 30, 0, 0, time.UTC)) {
			t.Errorf("it was viewed at %s", at)
		}
		return
	}
	t.Error("there is no quote")
}

func TestRowsOfAQuoteThatAreRefused(t *testing.T) {
	t.Parallel()
	unknown := func(caseID string) importing.Subject {
		s := withContact(caseID)
		s.Customer.Contact = nil
		return s
	}
	tests := []struct {
		name  string
		about func(string) importing.Subject
		rows  [][]string
		want  error
	}{
		{"of a quote that there is not", withContact, [][]string{approved}, quote.ErrNotFound},
		{"by nobody", unknown, [][]string{drafted, sent, approved}, domain.ErrOnlyContact},
		{"too late", withContact, [][]string{
			drafted, sent, {"Q1", "2", "Approved", "2026-02-05T08:00:01Z", "", "", ""},
		}, quote.ErrExpired},
		{"with what it has no place for", withContact, [][]string{
			drafted, {"Q1", "1", "Sent", "2026-01-05T09:00:00Z", "90000", "", ""},
		}, &domain.Error{Code: "out_of_place"}},
		{"of an unknown activity", withContact, [][]string{
			drafted, {"Q1", "1", "Framed", "2026-01-05T09:00:00Z", "", "", ""},
		}, &domain.Error{Code: "unknown_activity"}},
		{"without a time", withContact, [][]string{{"Q1", "0", "Drafted", "", "90000", "", ""}}, &domain.Error{Code: "required"}},
		{"without an amount", withContact, [][]string{
			{"Q1", "0", "Drafted", "2026-01-05T09:00:00Z", "much", "", ""},
		}, &domain.Error{Code: "not_an_amount"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, refusals := newLab(t).runQuotes(t, test.about, test.rows...)
			if len(refusals) != 1 || !errors.Is(refusals[0].Reason, test.want) {
				t.Fatalf("refused %v, want %v", refusals, test.want)
			}
			if diff := cmp.Diff(test.rows[len(test.rows)-1], refusals[0].Row.Fields); diff != "" {
				t.Errorf("the refused row (-want +got):\n%s", diff)
			}
		})
	}
}
