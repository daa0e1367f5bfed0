package readapi

import (
	"context"
	"errors"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/internal/api"
	"portal.example/projections/compare"
)

// Provenance tells where rows of read models are from. It may ask the log, which
// nothing else here does: a figure that is doubted is worth that.
type Provenance interface {
	// Has says whether there is a read model of that name.
	Has(ctx context.Context, projection string) (bool, error)
	// Find looks for a row, which db lets it see.
	Find(ctx context.Context, db compare.Querier, key compare.Key) (*compare.Found, error)
	// Trace tells where it is from; full is the whole chain.
	Trace(ctx context.Context, found *compare.Found, full bool) (*compare.Provenance, error)
}

type provenanceInput struct {
	api.Waiting
	Projection string `path:"projection" maxLength:"40" example:"invoices"`
	Table      string `path:"table" maxLength:"63" example:"invoices"`
	Key        string `path:"key" maxLength:"1000" doc:"values of the table's key, separated by commas; or column=value pairs that fit one row"`
	Full       bool   `query:"full" doc:"tell all events that made the row, by folding them again without each"`
}

type provenanceOutput struct {
	api.AsOf
	Body *compare.Provenance
}

func registerProvenance(a huma.API, d Deps) {
	if d.Provenance == nil {
		return
	}
	op := get(a, "get-provenance", "/provenance/{projection}/{table}/{key}", "Tell which events made a row of a read model",
		[]api.Role{api.Owner, api.Analyst, api.Auditor})
	op.Description = "The event that changed the row last and, with full, every event without which the row would be another. " +
		"Texts that may be personal are withheld; events are named and do not tell what they say."
	huma.Register(a, op, d.provenance)
}

func (d Deps) provenance(ctx context.Context, in *provenanceInput) (*provenanceOutput, error) {
	if has, err := d.Provenance.Has(ctx, in.Projection); err != nil {
		return nil, err
	} else if !has {
		return nil, notFound("read model")
	}
	var found *compare.Found
	asOf, err := d.read(ctx, in.Waiting, []string{in.Projection}, func(r *reader) error {
		tx, err := r.tx(ctx)
		if err != nil {
			return err
		}
		found, err = d.Provenance.Find(ctx, tx, compare.Key{Projection: in.Projection, Table: in.Table, Row: in.Key})
		return err
	})
	switch {
	case errors.Is(err, compare.ErrNotFound):
		return nil, notFound("row")
	case errors.Is(err, compare.ErrBadKey):
		return nil, huma.Error422UnprocessableEntity("the request is not acceptable", &huma.ErrorDetail{
			Location: "path.key", Message: "must be values of the table's key, or column=value pairs, that fit one row",
		})
	case err != nil:
		return nil, err
	}
	body, err := d.Provenance.Trace(ctx, found, in.Full)
	if err != nil {
		return nil, err
	}
	return &provenanceOutput{asOf, body}, nil
}
