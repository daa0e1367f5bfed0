package readapi

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/internal/api"
	"portal.example/projections/runner"
)

// Builds tells how the read models are doing, and has temporary ones made.
type Builds interface {
	Status(context.Context) ([]runner.Status, error)
	Look(ctx context.Context, build int64) (runner.Status, error)
	AsOf(ctx context.Context, projection string, scope runner.Scope) (runner.Status, error)
}

// Projection is one filling of a read model's tables.
type Projection struct {
	Projection  string    `json:"projection"`
	Version     int       `json:"version"`
	State       string    `json:"state" enum:"live,building,kept" doc:"kept: was live before, to go back to"`
	AsOf        time.Time `json:"asOf" doc:"complete up to here"`
	LagSeconds  float64   `json:"lagSeconds"`
	CaughtUp    bool      `json:"caughtUp"`
	Quarantined int       `json:"quarantined" doc:"streams that wait for somebody to look"`
	Replay      *Replay   `json:"replay,omitempty" doc:"of tables that are being filled"`
}

// Replay is how far tables that are being filled have come.
type Replay struct {
	Events           int64    `json:"events" doc:"applied so far"`
	EventsPerSecond  float64  `json:"eventsPerSecond" doc:"of late"`
	Done             float64  `json:"done" minimum:"0" maximum:"1"`
	RemainingSeconds *float64 `json:"remainingSeconds,omitempty" doc:"about; absent where nobody can tell"`
	Paused           bool     `json:"paused"`
	Throttle         int      `json:"throttle,omitempty" doc:"events a second at most; absent for no bound"`
	Ready            bool     `json:"ready" doc:"all is applied, and what was filled can go live"`
	Part             bool     `json:"part" doc:"of the business's own history, or of a span of time"`
	Note             string   `json:"note,omitempty" doc:"what it waits for"`
}

type projectionsOutput struct {
	Body struct {
		Items []Projection `json:"items" nullable:"false"`
	}
}

func registerProjections(a huma.API, d Deps) {
	huma.Register(a, get(a, "list-projections", "/projections",
		"Tell how far the read models are, and how replays go on", []api.Role{api.Owner, api.Office, api.Analyst}), d.projections)
}

// projections leaves out what is filled for another business, whose ids are
// nobody else's to see.
func (d Deps) projections(ctx context.Context, _ *struct{}) (*projectionsOutput, error) {
	who, _ := api.PrincipalFrom(ctx)
	found, err := d.Builds.Status(ctx)
	if err != nil {
		return nil, err
	}
	out := &projectionsOutput{}
	out.Body.Items = []Projection{}
	for i := range found {
		if s := &found[i]; s.Scope.Concerns(who.Business) {
			out.Body.Items = append(out.Body.Items, projectionOf(s, d.Now()))
		}
	}
	return out, nil
}

func projectionOf(s *runner.Status, now time.Time) Projection {
	p := Projection{
		Projection: s.Projection, Version: s.Version, State: s.State(), AsOf: s.AsOf.UTC(),
		LagSeconds: s.Lag(now).Seconds(), CaughtUp: s.CaughtUp, Quarantined: s.Quarantined,
	}
	if s.State() != runner.Building {
		return p
	}
	p.Replay = replayOf(s)
	return p
}

func replayOf(s *runner.Status) *Replay {
	r := &Replay{
		Events: s.Progress.Events, EventsPerSecond: s.Progress.Rate, Done: s.Progress.Fraction,
		Paused: s.Paused, Throttle: s.Throttle, Ready: s.Ready, Part: s.Scope != nil, Note: s.Note,
	}
	if s.Progress.Remaining >= 0 {
		seconds := s.Progress.Remaining.Seconds()
		r.RemainingSeconds = &seconds
	}
	return r
}
