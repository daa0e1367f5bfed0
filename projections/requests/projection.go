// Package requests is the read model of requests: what was asked for, whose
// turn it is and since when.
package requests

import (
	"context"
	_ "embed"

	"github.com/jackc/pgx/v5"

	"portal.example/domain/request"
	"portal.example/eventstore"
	"portal.example/projections/table"
)

//go:embed schema.sql
var schema string

// Projection implements runner.Projection.
type Projection struct{}

// Name implements runner.Projection.
func (Projection) Name() string { return "requests" }

// Version implements runner.Projection.
func (Projection) Version() int { return 2 }

// Schema implements runner.Projection.
func (Projection) Schema() string { return schema }

// Types implements runner.Projection.
func (Projection) Types() []string { return table.Names(request.Types) }

// RowsComeFromOneStream implements runner.StreamRows.
func (Projection) RowsComeFromOneStream() {}

// Apply implements runner.Projection.
func (Projection) Apply(ctx context.Context, tx pgx.Tx, batch []eventstore.Decoded) error {
	rows, err := requests.Open(ctx, tx, table.IDs(batch), func(r *row) string { return r.RequestID })
	if err != nil {
		return err
	}
	f := &folding{rows: rows}
	for i := range batch {
		if event, ok := batch[i].Event.(request.Event); ok {
			if err := f.fold(&batch[i], event); err != nil {
				return err
			}
		}
	}
	for _, r := range rows.Touched() {
		if err := r.Close(); err != nil {
			return err
		}
	}
	if err := rows.Store(ctx, tx); err != nil {
		return err
	}
	return requestSteps.Store(ctx, tx, f.steps)
}

// folding is a batch on its way into the tables.
type folding struct {
	rows  *table.Set[row]
	steps []*stepRow
}

func (f *folding) fold(d *eventstore.Decoded, event request.Event) error {
	id := table.ID(d)
	if e, ok := event.(request.Filed); ok {
		f.rows.Add(id, filed(id, e))
	}
	r, err := f.rows.Edit(id)
	if err != nil {
		return err
	}
	r.Origin = table.OriginOf(d)
	var details *Details
	if _, step := event.(request.Triaged); !step { // which leaves them as they were
		if details, err = r.Open(); err != nil {
			return err
		}
	}
	switch e := event.(type) {
	case request.Filed:
		details.Text, details.Slots = e.Details, e.Slots
	case request.Triaged:
		r.Handler, r.Team = e.Handler.StaffID, e.Handler.Team
		f.steps = append(f.steps, &stepRow{
			Origin: r.Origin, CustomerID: r.CustomerID, RequestID: id, Revision: int64(d.Record.Revision),
			Step: e.Step, Handler: r.Handler, Team: r.Team, TakenAt: table.Time(e.At),
		})
		return nil // the request is as it was
	case request.AskedBack:
		details.Messages = append(details.Messages, Message{Text: e.Question, At: e.At})
		r.Status, r.WaitingSince = string(request.StatusAskedBack), nil
	case request.Replied:
		details.Messages = append(details.Messages, Message{ContactID: e.ContactID, Text: e.Text, At: e.At})
		r.Status, r.WaitingSince = string(request.StatusFiled), table.Time(e.At)
	case request.Accepted:
		details.Next = string(e.Next)
		r.Status, r.WaitingSince, r.DecidedAt = string(request.StatusAccepted), nil, table.Time(e.At)
	case request.Declined:
		details.Declined = e.Reason
		r.Status, r.WaitingSince, r.DecidedAt = string(request.StatusDeclined), nil, table.Time(e.At)
	}
	r.Version++
	return nil
}

func filed(id string, e request.Filed) *row {
	return &row{
		RequestID: id, CustomerID: e.CustomerID, ContactID: e.ContactID, PropertyID: e.PropertyID, UnitID: e.UnitID,
		Kind: string(e.Kind), Channel: e.Channel, Reference: e.Reference, Subject: e.Subject,
		Status: string(request.StatusFiled), Handler: e.Handler.StaffID, Team: e.Handler.Team,
		Deadline: table.Time(e.Deadline), FiledAt: table.Time(e.At), WaitingSince: table.Time(e.At),
	}
}
