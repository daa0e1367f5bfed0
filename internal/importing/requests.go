package importing

import (
	"context"
	"fmt"
	"strings"
	"time"

	"portal.example/domain"
	"portal.example/domain/request"
	"portal.example/eventstore"
)

// Requests is a history of applications, in which each case is a request. The
// row "Confirmation of receipt" files it, through the channel that the file
// names; every other row is a step of its triage, by whom and in which team.
//
// The real file says when a case ended and not how, so its requests stay
// undecided: enddate becomes no event. A file that knows how says so in rows of
// their own, Accepted and Declined.
var Requests = Format{
	Name: "requests",
	Columns: []string{
		"case", "seq", "activity", "at", "resource", "group", "channel", "department", "deadline", "enddate",
	},
	about: func(caseID string) Subject {
		return Subject{Customer: unnamed("requests", caseID), Title: "Application " + caseID}
	},
	begin: beginRequest,
}

// The activities that decide a request.
const (
	Accepted = "Accepted"
	Declined = "Declined"
)

const (
	receipt = "Confirmation of receipt"
	noGroup = "EMPTY" // what the file has where there is no team
)

// application is a request on its way into the log.
type application struct {
	*run
	caseID  string
	subject Subject
	id      string
	known   known // when this run came to it
}

func beginRequest(ctx context.Context, r *run, caseID string) (history, error) {
	a := &application{run: r, caseID: caseID, subject: r.about(caseID)}
	m, err := r.command("case "+caseID, time.Time{})
	if err != nil {
		return nil, err
	}
	a.id = eventstore.NewID(m.CommandID, "request").String()
	a.known, err = r.known(ctx, request.Stream(a.id))
	return a, err
}

func (a *application) take(ctx context.Context, row Row) error {
	var check domain.Check
	at := moment(&check, row, "at")
	deadline := moment(&check, row, "deadline")
	if at.IsZero() {
		check.Fail("at", "required", "must not be empty")
	}
	if err := check.Err(); err != nil {
		return err
	}
	m, err := a.ofRow(a.caseID, row, at)
	if err != nil {
		return err
	}
	if done, err := a.known.done(m); done || err != nil {
		return err
	}
	handler := request.Handler{StaffID: row.field("resource"), Team: row.field("group")}
	if handler.Team == noGroup {
		handler.Team = ""
	}
	switch activity := row.field("activity"); activity {
	case receipt:
		return a.file(ctx, m, row, handler, deadline)
	case Accepted:
		return a.execute(ctx, m, request.Accept{Next: request.NextQuote, At: at})
	case Declined:
		return a.execute(ctx, m, request.Decline{Reason: "Not stated", At: at})
	default:
		return a.execute(ctx, m, request.Triage{Step: activity, Handler: handler, At: at})
	}
}

func (a *application) file(
	ctx context.Context, m eventstore.Metadata, row Row, handler request.Handler, deadline time.Time,
) error {
	at := m.OccurredAt
	file := request.File{
		By:        domain.Actor{Kind: domain.System},
		RequestID: a.id, BusinessID: a.Business, CustomerID: CustomerID(a.Business, a.subject.Customer.Key),
		Kind: request.Lead, Channel: row.field("channel"), Reference: a.caseID,
		Subject: a.subject.Title, Handler: handler, Deadline: deadline, At: at,
	}
	if department := row.field("department"); department != "" {
		file.Details = "Department: " + department
	}
	if a.subject.Customer.Address != "" {
		file.PropertyID = PropertyID(a.Business, a.subject.Customer.Key)
	}
	if _, err := file.Decide(request.State{}); err != nil {
		return err // before there is a customer without a request
	}
	if err := a.meet(ctx, a.subject.Customer, at); err != nil {
		return err
	}
	return a.execute(ctx, m, file)
}

func (a *application) execute(ctx context.Context, m eventstore.Metadata, c domain.Decider[request.State, request.Event]) error {
	_, err := a.room.Requests.Execute(ctx, request.Stream(a.id), m, c)
	return err
}

// moment reads a time with its offset from UTC, or none from an empty field.
func moment(check *domain.Check, row Row, column string) time.Time {
	text := strings.TrimSpace(row.field(column))
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		check.Fail(column, "not_a_time", fmt.Sprintf("%.40q is no time like 2006-01-02T15:04:05+01:00", text))
	}
	return t.UTC()
}
