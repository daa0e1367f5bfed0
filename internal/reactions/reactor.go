package reactions

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"portal.example/eventstore"
	"portal.example/eventstore/pubsub"
)

// How stopping goes, in less than five seconds: what is under way has a moment
// to end by itself; then its context ends; what does not even mind that is left
// behind. Nothing is lost by it: what was not acknowledged is delivered again.
const (
	grace        = 2 * time.Second
	answerLimit  = grace + 500*time.Millisecond // for the answers to what was handed out
	handlerLimit = time.Second                  // then, for handlers
	jobsLimit    = grace + time.Second
)

// startAgain is the time between two attempts at something that did not start.
const startAgain = 2 * time.Second

// Config is what reactions run on.
type Config struct {
	Client     *eventstore.Client
	Pool       *pgxpool.Pool // of a database that has been migrated
	Reactions  []Reaction
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil: no metrics
	Now        func() time.Time      // the portal's clock
}

// Reactor runs reactions.
type Reactor struct {
	config  Config
	metrics *metrics
	jobs    *jobs
	log     watermill.LoggerAdapter

	mu   sync.Mutex
	gaps map[string]gap // by reaction, once they were looked for
}

// New makes a reactor. Its error says what is wrong with the reactions.
func New(ctx context.Context, c Config) (*Reactor, error) {
	named, err := byName(c.Reactions)
	if err != nil {
		return nil, err
	}
	r := &Reactor{config: c, metrics: newMetrics(c.Registerer), gaps: map[string]gap{}}
	// What Watermill tells of its own life is for those who look for a fault in it.
	r.log = watermill.NewSlogLoggerWithLevelMapping(c.Logger, map[slog.Level]slog.Level{slog.LevelInfo: slog.LevelDebug})
	r.jobs, err = newJobs(ctx, c, named, r.metrics)
	return r, err
}

// Prepare makes the groups of reactions that are new, so that these miss nothing
// that is appended from now on. Run does so too, once the log is there.
func (r *Reactor) Prepare(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() { ended <- r.makeGroups(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return fmt.Errorf("reactions: making groups: %w", ctx.Err())
	}
}

func (r *Reactor) makeGroups(ctx context.Context) error {
	for _, reaction := range r.config.Reactions {
		if err := r.look(ctx, reaction); err != nil {
			return fmt.Errorf("reactions: %s: %w", reaction.Name, err)
		}
		subscriber, err := r.subscriber(reaction)
		if err != nil {
			return err
		}
		if err := subscriber.SubscribeInitialize(pubsub.TypeTopic(reaction.Event)); err != nil {
			return fmt.Errorf("reactions: %s: %w", reaction.Name, err)
		}
	}
	return nil
}

// maxRetries of the log is as good as none: what is parked is decided here,
// where the reason is known.
const maxRetries = 1_000_000

func (r *Reactor) subscriber(reaction Reaction) (*pubsub.Subscriber, error) {
	return pubsub.NewSubscriber(r.config.Client, pubsub.SubscriberConfig{
		ConsumerGroup: reaction.Name,
		Group:         eventstore.GroupSettings{MessageTimeout: messageTimeout, MaxRetries: maxRetries},
		InFlight:      wakeUpsAtOnce,
		CloseTimeout:  answerLimit,
	}, r.log)
}

// Run runs reactions until ctx ends. A log or a database that is away is waited
// for, and what goes wrong with one reaction is no other's business.
func (r *Reactor) Run(ctx context.Context) error {
	life, end := context.WithCancel(context.WithoutCancel(ctx)) // of what is under way
	defer end()
	context.AfterFunc(ctx, func() { time.AfterFunc(grace, end) })

	var group errgroup.Group
	group.Go(func() error { return r.untilStopped(ctx, "wake-ups", func() error { return r.route(ctx, life) }) })
	recovered := make(chan struct{})
	group.Go(func() error {
		return r.untilStopped(ctx, "jobs", func() error {
			select {
			case <-recovered:
			default:
				if err := r.recover(ctx); err != nil {
					return err
				}
				close(recovered)
			}
			return r.jobs.run(ctx)
		})
	})
	group.Go(func() error {
		select {
		case <-recovered: // from here on Postgres may be said to have come further
		case <-ctx.Done():
		}
		return r.untilStopped(ctx, "bookmarks", func() error { return r.mark(ctx) })
	})
	err := group.Wait()
	r.jobs.close() // wake-ups could leave jobs until now
	return err
}

// untilStopped does it again where it did not start, or came to an end.
func (r *Reactor) untilStopped(ctx context.Context, what string, do func() error) error {
	again := time.NewTicker(startAgain)
	defer again.Stop()
	for {
		err := do()
		if ctx.Err() != nil {
			return nil
		}
		r.config.Logger.WarnContext(ctx, "reactions have to wait", "for", what, "error", err)
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// route is the life of a router, until ctx ends.
func (r *Reactor) route(ctx, life context.Context) error {
	if err := r.Prepare(ctx); err != nil {
		return err // a router that does not start leaves goroutines behind
	}
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: handlerLimit}, r.log)
	if err != nil {
		return err
	}
	for _, reaction := range r.config.Reactions {
		subscriber, err := r.subscriber(reaction)
		if err != nil {
			return err
		}
		handler := router.AddConsumerHandler(reaction.Name, pubsub.TypeTopic(reaction.Event), subscriber, r.wake(reaction))
		handler.AddMiddleware(r.middlewares(reaction, life)...)
	}
	return router.Run(ctx)
}
