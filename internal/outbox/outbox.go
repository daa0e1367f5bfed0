// Package outbox delivers what must keep order: outgoing webhooks, what people
// watch live. An outbox follows the log from a bookmark in Postgres and delivers
// one event after the other, each until its delivery succeeds.
//
// In the order of the log, and at least once: the bookmark is moved when the
// event has been delivered, so that after a crash the last event can come again,
// and none is left out. One instance of the portal leads; another takes over
// within seconds when it is gone.
//
// An event that cannot be delivered holds up all that follow. That is what order
// means: where events need not wait for one another, a reaction on a persistent
// subscription is the better choice.
package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"portal.example/eventstore"
	"portal.example/internal/bookmark"
	"portal.example/internal/wait"
)

// Config is what an outbox is. Name, Pool, Client and Deliver are required.
type Config struct {
	// Name is storage: its bookmark is kept under it. An outbox that is new
	// begins at the end of the log.
	Name   string
	Pool   *pgxpool.Pool // of a database that has been migrated
	Client *eventstore.Client

	// Types are the types of the events to be delivered; none means all of the
	// portal's own.
	Types []string
	// SkipImported leaves out what was brought in from elsewhere.
	SkipImported bool

	// Deliver delivers an event, whose personal fields are sealed as they are in
	// the log. It is called for one event at a time, and again where it fails or
	// panics, for as long as that takes: to give an event up is to return nil. It
	// must mind its context, which ends when the delivery takes too long, when this
	// instance leads no more, and a moment after the portal is told to stop.
	//
	// An instance that was suspended in the midst of a delivery can bring it to an
	// end after another one has taken over. A receiver to whom that matters
	// compares positions, which only rise.
	Deliver func(context.Context, eventstore.Recorded) error
	// Limit is how long one try may take, 30 s by default.
	Limit time.Duration
	// The pause between two tries grows from FirstPause to LongestPause, from
	// 200 ms to a minute by default.
	FirstPause, LongestPause time.Duration

	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil: no metrics
	// Subscribe, where set, is used in the place of Client.Subscribe, such as
	// for a log that is in the same process.
	Subscribe func(context.Context, eventstore.SubscribeOptions) eventstore.Source
}

// Outbox delivers events.
type Outbox struct {
	Config
	metrics *metrics
}

// validName is what can stand in the label of a metric and reads well there.
var validName = regexp.MustCompile(`^[a-z0-9]+([.-][a-z0-9]+)*$`)

// New makes an outbox. Its error says what is wrong with the configuration.
func New(c Config) (*Outbox, error) {
	switch {
	case !validName.MatchString(c.Name):
		return nil, fmt.Errorf("outbox: name %q: must be words of small letters and digits, joined by dots or dashes", c.Name)
	case c.Pool == nil || c.Client == nil || c.Deliver == nil:
		return nil, fmt.Errorf("outbox %s: a pool, a client and a delivery are needed", c.Name)
	}
	if c.Limit <= 0 {
		c.Limit = 30 * time.Second
	}
	if c.FirstPause <= 0 {
		c.FirstPause = 200 * time.Millisecond
	}
	if c.LongestPause <= 0 {
		c.LongestPause = time.Minute
	}
	c.LongestPause = max(c.LongestPause, c.FirstPause)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Logger = c.Logger.With("outbox", c.Name)
	m, err := newMetrics(c.Name, c.Registerer)
	if err != nil {
		return nil, fmt.Errorf("outbox %s: %w", c.Name, err)
	}
	return &Outbox{Config: c, metrics: m}, nil
}

// Times of what does not depend on the deliveries.
const (
	// standByEvery is how often an instance that does not lead tries to.
	standByEvery = time.Second
	// cutOffAfter is when Postgres ends the session of a leader that has gone
	// silent; a living one speaks every proveEvery.
	cutOffAfter = 5 * time.Second
	proveEvery  = time.Second
	// storeLimit bounds a look at Postgres, and the last one after a stop.
	storeLimit = 3 * time.Second
	// grace is how long a delivery may go on after a stop.
	grace = 2 * time.Second
	// interrupted is how long a session without a log or without Postgres is
	// waited for before the next one.
	interrupted = 2 * time.Second
)

// Run delivers events until ctx ends, and returns nil then: a delivery under way
// has a moment to succeed. It may run in several instances at once. Postgres and
// the log may come and go. It fails with bookmark.ErrOtherLog where the log does
// not contain what was delivered before.
func (o *Outbox) Run(ctx context.Context) error {
	for {
		err := o.session(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // stopping as asked is no failure
		case errors.Is(err, bookmark.ErrOtherLog):
			return fmt.Errorf("outbox %s: %w", o.Name, err)
		case errors.Is(err, bookmark.ErrMoved):
			o.Logger.InfoContext(ctx, "another one leads the outbox by now")
		default:
			o.Logger.WarnContext(ctx, "outbox interrupted", "error", err)
		}
		if !wait.For(ctx, interrupted) {
			return nil
		}
	}
}

func (o *Outbox) subscribe(ctx context.Context, from eventstore.Position) eventstore.Source {
	options := eventstore.SubscribeOptions{From: from, Filter: o.filter(), Buffer: batch}
	if o.Subscribe != nil {
		return o.Subscribe(ctx, options)
	}
	return o.Client.Subscribe(ctx, options)
}

func (o *Outbox) filter() eventstore.Filter {
	if len(o.Types) == 0 {
		return eventstore.UserEvents()
	}
	quoted := make([]string, len(o.Types))
	for i, t := range o.Types {
		quoted[i] = regexp.QuoteMeta(t)
	}
	return eventstore.TypeMatches("^(" + strings.Join(quoted, "|") + ")$")
}
