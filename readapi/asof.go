package readapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"portal.example/internal/api"
	"portal.example/internal/database"
	"portal.example/projections/runner"
)

// Past is embedded in the input of dashboards, which can be had as they were.
type Past struct {
	At string `query:"asOf" maxLength:"40" example:"2026-03-31" doc:"As it was at this moment (RFC 3339), with what was until then, or at the end of this day in the business's time zone. It is computed from the business's history: 503 with the code being_filled, Retry-After and the progress in details until it can be told, which is kept for an hour then."`
	By string `query:"by" enum:"recorded,occurred" default:"recorded" doc:"with asOf: as it was known then (recorded), or as it was by what is known today (occurred). Histories that were imported occurred long before they were recorded."`
}

// ByOccurred is the By of how it was by what is known today.
const ByOccurred = "occurred"

// ParseMoment reads a time as RFC 3339 has it, or a date, which is the last moment
// of that day in the time zone. The portal counts in microseconds.
func ParseMoment(text string, zone *time.Location, now time.Time) (time.Time, error) {
	var at time.Time
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		at = time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, zone).Add(-time.Microsecond)
	} else if at, err = time.Parse(time.RFC3339, text); err != nil {
		return at, errors.New("must be a time such as 2026-03-14T12:00:00Z or a day such as 2026-03-14")
	}
	switch {
	case at.Year() < 1900:
		return at, errors.New("must be in the year 1900 or later")
	case at.After(now):
		return at, errors.New("must not be in the future, nor be a day that is not over")
	}
	return at.Truncate(time.Microsecond), nil
}

// ScopeAt is the part of a business's history up to and including a moment.
func ScopeAt(business string, at time.Time, by string) runner.Scope {
	return runner.Scope{Business: business, Until: at.Add(time.Microsecond), Occurred: by == ByOccurred}
}

// figures answers from a read model as it is or, where the request says so, as it
// was. fn gets the moment that ages and deadlines go by.
func (d Deps) figures(ctx context.Context, w api.Waiting, past Past, model string, fn func(*reader, time.Time) error) (api.AsOf, error) {
	if past.At == "" {
		return d.read(ctx, w, []string{model}, func(r *reader) error { return fn(r, d.Now()) })
	}
	who, ok := api.PrincipalFrom(ctx)
	if !ok {
		return api.AsOf{}, errors.New("readapi: a route without a principal")
	}
	at, err := d.moment(ctx, who, past.At)
	if err != nil {
		return api.AsOf{}, err
	}
	build, err := d.filled(ctx, w, model, ScopeAt(who.Business, at, past.By))
	if err != nil {
		return api.AsOf{}, err
	}
	err = d.look(ctx, who, func(r *reader) error {
		if err := r.from(ctx, build.Schema); err != nil {
			return err
		}
		return fn(r, at)
	})
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == undefinedTable {
		err = dropped(build)
	}
	return api.AsOfTime(at), err
}

func (d Deps) moment(ctx context.Context, who api.Principal, text string) (at time.Time, err error) {
	err = d.look(ctx, who, func(r *reader) error {
		_, zone, err := settings(ctx, r, "")
		if err != nil {
			return err
		}
		if at, err = ParseMoment(text, zone, d.Now()); err != nil {
			return huma.NewError(http.StatusUnprocessableEntity, "asOf: "+err.Error(),
				&huma.ErrorDetail{Location: "query.asOf", Message: err.Error()})
		}
		return nil
	})
	return at, err
}

// from has the next questions asked of tables in a schema, and of the live ones
// where that has none of the name.
func (r *reader) from(ctx context.Context, schema string) error {
	tx, err := r.tx(ctx)
	if err == nil {
		_, err = tx.Exec(ctx, "SET LOCAL search_path = "+pgx.Identifier{schema}.Sanitize()+", read")
	}
	return err
}

// lookAgainEvery is how often a request that waits looks how far the tables are.
const lookAgainEvery = 50 * time.Millisecond

// filled is the temporary build, which is begun if it is not there yet and waited
// for as long as a request is patient.
func (d Deps) filled(ctx context.Context, w api.Waiting, model string, scope runner.Scope) (runner.Status, error) {
	position, _, err := w.WaitFor()
	if err != nil {
		return runner.Status{}, err
	}
	build, err := d.Builds.AsOf(ctx, model, scope)
	patient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		switch {
		case errors.Is(err, runner.ErrNothingLive):
			return build, api.Unready("not_built", "the read model is being built for the first time")
		case errors.Is(err, runner.ErrCrowded):
			return build, api.Unready("too_many_moments", "too many moments are looked at; ask again in a minute")
		case errors.Is(err, runner.ErrNoReplay):
			return build, dropped(build)
		case err != nil:
			return build, err
		case build.Ready && (!scope.Occurred || build.Position.Compare(position) >= 0):
			return build, nil
		}
		timer := time.NewTimer(lookAgainEvery)
		select {
		case <-timer.C:
		case <-patient.Done():
			timer.Stop()
			return build, api.Filling("being_filled",
				fmt.Sprintf("the history is being replayed, %.0f %% so far; ask again", 100*build.Progress.Fraction), replayOf(&build))
		}
		build, err = d.Builds.Look(ctx, build.Build)
	}
}

func dropped(build runner.Status) error {
	return api.Unready("being_filled", "the "+build.Projection+" of that moment made room for others; ask again")
}

// Dashboards are the names of the dashboards, with the read models that they are
// computed from.
var Dashboards = map[string]string{"money": "invoices", "quotes": "quotes", "requests": "requests"}

// DashboardIn computes a dashboard of a business from tables in a schema, at a
// moment. Without a currency it is in the business's.
func DashboardIn(ctx context.Context, readers *database.Readers, business, name, schema, currency string, now time.Time) (any, error) {
	r := &reader{who: api.Principal{Business: business}, readers: readers}
	defer r.close(ctx)
	if err := r.from(ctx, schema); err != nil {
		return nil, err
	}
	switch name {
	case "money":
		return moneyAt(ctx, r, currency, now)
	case "quotes":
		return quotesAt(ctx, r, currency, time.Time{}, farFuture, now)
	case "requests":
		return requestsAt(ctx, r, now)
	default:
		return nil, fmt.Errorf("readapi: there is no dashboard %q", name)
	}
}
