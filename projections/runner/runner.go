package runner

import (
	"context"
	"errors"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"portal.example/eventstore"
)

// ErrOtherLog says that the log does not contain what a read model was built
// from: another log, or an older backup of this one. Nothing is applied then.
// Name the right log, or drop the read models and let them be built again.
var ErrOtherLog = errors.New("the log does not contain the checkpoint of a read model")

// Config is what a runner needs. All of it is required but Logger, Registerer
// and Subscribe.
type Config struct {
	Pool        *pgxpool.Pool
	Client      *eventstore.Client
	Codec       *eventstore.Codec
	Projections []Projection
	Logger      *slog.Logger
	Registerer  prometheus.Registerer

	// Subscribe, where set, is used in the place of Client.Subscribe, such as
	// for a log that is in the same process.
	Subscribe func(context.Context, eventstore.SubscribeOptions) Source
}

// Runner keeps a set of projections up with the log.
type Runner struct {
	cfg Config
}

// New makes a runner. The database has been migrated (database.Migrate).
func New(cfg Config) *Runner { return &Runner{cfg: cfg} }

// Run keeps the projections up with the log until ctx ends, and returns nil
// then, with nothing half done. It may run in several instances at once; for
// each build of a projection one of them leads. Postgres and the log may come
// and go. It fails with ErrOtherLog, and for a projection whose Schema is wrong.
func (r *Runner) Run(ctx context.Context) error { return errors.New("runner: not there yet") }

// WaitFor returns once the live tables of the projection contain what the log
// has up to the position. It works on an instance that does not lead, and lasts
// as long as ctx.
func (r *Runner) WaitFor(ctx context.Context, projection string, position eventstore.Position) error {
	return errors.New("runner: not there yet")
}

// Status tells how each build is doing.
func (r *Runner) Status(ctx context.Context) ([]Status, error) {
	return nil, errors.New("runner: not there yet")
}

// Rebuild fills new tables for the projection from the start of the log, beside
// the live ones, and has requests read them once they have caught up. It
// returns then. Run need not be running.
func (r *Runner) Rebuild(ctx context.Context, projection string) error {
	return errors.New("runner: not there yet")
}
