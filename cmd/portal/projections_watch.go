package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"portal.example/internal/database"
	"portal.example/projections/runner"
)

// wishing writes down a wish for a build.
type wishing func(ctx context.Context, pool *pgxpool.Pool, build int64) error

// replayWatch watches a build that is being filled. Where nobody leads it, it
// leads it.
type replayWatch struct {
	cmd    *cobra.Command
	cfg    config
	pool   *pgxpool.Pool
	runner *runner.Runner
}

// withRunner opens the database for as long as it takes, and the log only where
// nobody else reads it.
func withRunner(cmd *cobra.Command, do func(*replayWatch) error) error {
	cfg, err := readConfig()
	if err != nil {
		return err
	}
	pool, err := database.Open(cmd.Context(), cfg.database)
	if err != nil {
		return fmt.Errorf("DATABASE_URL: %w", err)
	}
	defer pool.Close()
	return do(&replayWatch{
		cmd: cmd, cfg: cfg, pool: pool, runner: known(pool),
	})
}

const (
	lookEvery = 250 * time.Millisecond

	// unledFor is how long a build may be without a leader before this command
	// becomes it: longer than a portal takes to notice a new build.
	unledFor = 3 * time.Second
)

// watch shows how far a build is until it is as wanted.
func (w *replayWatch) watch(build int64, wanted func(runner.Status) bool) (s runner.Status, err error) {
	screen := newScreen(w.cmd)
	defer screen.close()
	lead := &leading{watch: w}
	defer func() { err = errors.Join(err, lead.stop()) }()
	led := time.Now()
	for {
		found, err := w.runner.Look(w.cmd.Context(), build)
		switch {
		case w.cmd.Context().Err() != nil:
			s.Build = build
			return s, w.interrupted(s, lead.is())
		case errors.Is(err, runner.ErrNoReplay):
			return s, fmt.Errorf("the replay was cancelled: %w", err)
		case err != nil && !database.Away(err):
			return s, err
		case err == nil:
			s = found
			screen.show(s)
		}
		if err == nil && wanted(s) {
			return s, nil
		}
		if s.Led {
			led = time.Now()
		}
		if time.Since(led) > unledFor && !lead.is() && err == nil {
			if err := lead.start(s.Projection); err != nil {
				return s, err
			}
		}
		timer := time.NewTimer(lookEvery)
		select {
		case <-timer.C:
		case err := <-lead.ended:
			lead.ended = nil
			return s, err
		case <-w.cmd.Context().Done():
		}
		timer.Stop()
	}
}

// interrupted tells what becomes of the replay without its watcher.
func (w *replayWatch) interrupted(s runner.Status, led bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.cmd.Context()), time.Second)
	defer cancel()
	if now, err := w.runner.Look(ctx, s.Build); err == nil {
		s = now
	}
	if led || !s.Led {
		return fmt.Errorf("interrupted; the replay of %s waits for `portal serve`, or for this command again", s.Projection)
	}
	return fmt.Errorf("interrupted; the replay of %s goes on in the portal that runs: see `portal projections status`, "+
		"or `portal projections replay cancel %[1]s`", s.Projection)
}

// end prints the result.
func (w *replayWatch) end(s runner.Status, asJSON bool, said string) error {
	if asJSON {
		return json.NewEncoder(w.cmd.OutOrStdout()).Encode(statusOf(s, time.Now().UTC()))
	}
	_, err := fmt.Fprintf(w.cmd.OutOrStdout(), "%s: %s\n", s.Projection, said)
	return err
}

// leading is this command in the place of a portal.
type leading struct {
	watch *replayWatch
	end   context.CancelFunc
	ended chan error
}

func (l *leading) is() bool { return l.end != nil }

// start runs the projection: its live tables, too, since those and what is filled
// are to meet.
func (l *leading) start(name string) error {
	cmd := l.watch.cmd
	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	p, err := openPortal(cmd.Context(), l.watch.cfg, log)
	if err != nil {
		return fmt.Errorf("no portal runs that would do it, and neither can this command: %w", err)
	}
	only := func(all []runner.Projection) []runner.Projection {
		return slices.DeleteFunc(all, func(p runner.Projection) bool { return p.Name() != name })
	}
	r := runner.New(runner.Config{
		Pool: p.pool, Client: p.log, Codec: p.codec, Projections: only(projections()), Logger: log,
		Discover: func(ctx context.Context) ([]runner.Projection, error) {
			found, err := p.sqlCatalog(log).Discover(ctx)
			return only(found), err
		},
		CutOverOnRequest: l.watch.cfg.cutOver == cutOverOnRequest,
	})
	running, end := context.WithCancel(cmd.Context())
	l.end, l.ended = end, make(chan error, 1)
	go func() { l.ended <- errors.Join(r.Run(running), p.close()) }()
	return nil
}

func (l *leading) stop() error {
	if l.end == nil {
		return nil
	}
	l.end()
	if l.ended == nil {
		return nil
	}
	return <-l.ended
}

// screen shows the progress: a bar to a person, a line every few seconds to a file.
type screen struct {
	cmd  *cobra.Command
	bar  *progressbar.ProgressBar // nil for a file
	said time.Time
	last string
}

const (
	barLength = 1000
	sayEvery  = 5 * time.Second
)

func newScreen(cmd *cobra.Command) *screen {
	s := &screen{cmd: cmd}
	if f, is := cmd.ErrOrStderr().(*os.File); is && term.IsTerminal(int(f.Fd())) {
		s.bar = progressbar.NewOptions(barLength,
			progressbar.OptionSetWriter(f), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false), progressbar.OptionFullWidth())
	}
	return s
}

func (s *screen) show(status runner.Status) {
	text := status.Projection + ": " + replayOf(status).String()
	switch {
	case s.bar != nil:
		s.bar.Describe(text)
		_ = s.bar.Set(int(status.Progress.Fraction * barLength)) // it can only fail to be drawn
	case text != s.last && time.Since(s.said) > sayEvery:
		fmt.Fprintln(s.cmd.ErrOrStderr(), text)
		s.said, s.last = time.Now(), text
	}
}

func (s *screen) close() {
	if s.bar != nil {
		_ = s.bar.Exit()
		fmt.Fprintln(s.cmd.ErrOrStderr())
	}
}

// replayStatus is how far tables that are being filled have come.
type replayStatus struct {
	Events           int64         `json:"events"`
	EventsPerSecond  float64       `json:"eventsPerSecond"`
	Done             float64       `json:"done"` // 0 to 1
	RemainingSeconds *float64      `json:"remainingSeconds,omitempty"`
	Paused           bool          `json:"paused"`
	Throttle         int           `json:"throttle,omitempty"`
	Led              bool          `json:"led"` // by a portal, or by a command
	Ready            bool          `json:"ready"`
	CutOverAsked     bool          `json:"cutoverAsked"`
	Temporary        bool          `json:"temporary"`
	Scope            *runner.Scope `json:"scope,omitempty"`
	Note             string        `json:"note,omitempty"`
}

// replayOf is nil for a build that is not being filled.
func replayOf(s runner.Status) *replayStatus {
	if s.State() != runner.Building && s.State() != runner.Ended {
		return nil
	}
	r := &replayStatus{
		Events: s.Progress.Events, EventsPerSecond: s.Progress.Rate, Done: s.Progress.Fraction, Paused: s.Paused,
		Throttle: s.Throttle, Led: s.Led, Ready: s.Ready, CutOverAsked: s.Cutting, Temporary: s.Temporary, Scope: s.Scope, Note: s.Note,
	}
	if s.Progress.Remaining >= 0 {
		seconds := s.Progress.Remaining.Seconds()
		r.RemainingSeconds = &seconds
	}
	return r
}

// String is for people; empty where there is no replay.
func (r *replayStatus) String() string {
	if r == nil {
		return ""
	}
	text := fmt.Sprintf("%.1f %%, %d events", 100*r.Done, r.Events)
	switch {
	case r.Ready:
		text += ", ready"
	case r.Paused:
		text += ", paused"
	case !r.Led:
		text += ", nobody leads it"
	default:
		text += fmt.Sprintf(", %.0f/s", r.EventsPerSecond)
		if r.RemainingSeconds != nil {
			text += fmt.Sprintf(", %s left", time.Duration(*r.RemainingSeconds*float64(time.Second)).Round(time.Second))
		}
	}
	if r.Note != "" {
		text += "; " + r.Note
	}
	return text
}
