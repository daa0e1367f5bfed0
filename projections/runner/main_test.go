package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"portal.example/eventstore"
	"portal.example/eventstore/codectest"
	"portal.example/eventstore/node"
	"portal.example/internal/database"
	"portal.example/internal/postgres"
	"portal.example/internal/wait"
)

// What the tests' log is about: meters, and what they read.

type Read struct {
	Value int64 `json:"value"`
}

type Noted struct {
	Text string `json:"text"`
}

var types = []eventstore.EventType{eventstore.Event[Read]("MeterRead", 1), eventstore.Event[Noted]("MeterNoted", 1)}

// meters is the tests' projection: a row a reading, which the primary key keeps
// from being there twice, and the sum of a meter, which would show it as well.
type meters struct {
	name    string
	version int
	types   []string
	poison  func(Read) error                                          // nil: everything is good
	before  func(context.Context, pgx.Tx, []eventstore.Decoded) error // called first
}

func (m *meters) Name() string    { return m.name }
func (m *meters) Version() int    { return max(1, m.version) }
func (m *meters) Types() []string { return m.types }

func (m *meters) Schema() string {
	return fmt.Sprintf(`
		CREATE TABLE %[1]s_reading (
			business_id text NOT NULL, meter text NOT NULL, revision bigint NOT NULL, value bigint NOT NULL CHECK (value < 1000000),
			_stream text NOT NULL, _position bigint NOT NULL,
			PRIMARY KEY (_stream, revision));
		CREATE TABLE %[1]s_sum (
			business_id text NOT NULL, meter text PRIMARY KEY, sum bigint NOT NULL, last bigint NOT NULL,
			_stream text NOT NULL, _position bigint NOT NULL);`, m.name)
}

var errWrongOrder = errors.New("a reading came out of order")

func (m *meters) Apply(ctx context.Context, tx pgx.Tx, batch []eventstore.Decoded) error {
	if m.before != nil {
		if err := m.before(ctx, tx, batch); err != nil {
			return err
		}
	}
	var (
		business, stream           []string
		revision, value, positions []int64
	)
	for _, d := range batch {
		e, ok := d.Event.(Read)
		if !ok {
			continue
		}
		if m.poison != nil {
			if err := m.poison(e); err != nil {
				return err
			}
		}
		business, stream = append(business, d.Metadata.Business), append(stream, d.Record.Stream)
		revision, value = append(revision, int64(d.Record.Revision)), append(value, e.Value)
		positions = append(positions, int64(d.Record.Position.Commit))
	}
	if len(stream) == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, `
		INSERT INTO `+m.name+`_reading SELECT b, s, r, v, s, p
		FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) AS t (b, s, r, v, p)`,
		business, stream, revision, value, positions); err != nil {
		return err
	}
	var wrong bool
	if err := tx.QueryRow(ctx, `SELECT coalesce(bool_or(first <= last), false)
		FROM `+m.name+`_sum JOIN (
			SELECT s, min(r) AS first FROM unnest($1::text[], $2::bigint[]) AS t (s, r) GROUP BY s) new ON s = meter`,
		stream, revision).Scan(&wrong); err != nil {
		return err
	}
	if wrong {
		return errWrongOrder
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO `+m.name+`_sum
		SELECT min(b), s, sum(v), max(r), s, max(p)
		FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) AS t (b, s, r, v, p) GROUP BY s
		ON CONFLICT (meter) DO UPDATE SET sum = `+m.name+`_sum.sum + excluded.sum, last = excluded.last, _position = excluded._position`,
		business, stream, revision, value, positions)
	return err
}

// world is a log, a database and what connects them.
type world struct {
	t       *testing.T
	ctx     context.Context
	dir     string
	node    *node.Node
	client  *eventstore.Client
	codec   *eventstore.Codec
	url     string
	pool    *pgxpool.Pool
	readers *database.Readers
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOn(t, postgres.ForTestWithTemplate(t, "runner", migrate))
}

func migrate(url string) error { return database.Migrate(context.Background(), url) }

func newWorldOn(t *testing.T, url string) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx, url: url, dir: t.TempDir()}
	w.node = must(node.Start(ctx, node.Config{Dir: w.dir, Insecure: true}))(t)
	t.Cleanup(func() { w.node.Close() }) // the one of then: tests restart it
	w.client = must(eventstore.Connect(eventstore.Config{ConnectionString: w.node.ConnectionString()}))(t)
	t.Cleanup(func() { w.client.Close() })
	w.codec = must(eventstore.NewCodec(codectest.NewKeyring(), types...))(t)
	w.pool = must(database.Open(ctx, url))(t)
	t.Cleanup(w.pool.Close)
	w.readers = must(database.NewReaders(ctx, w.pool))(t)
	t.Cleanup(w.readers.Close)
	return w
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// runner makes one that logs into the test.
func (w *world) runner(projections ...Projection) *Runner {
	return New(Config{
		Pool: w.pool, Client: w.client, Codec: w.codec, Projections: projections,
		Logger: slog.New(slog.NewTextHandler(w.t.Output(), nil)),
	})
}

// run runs it until stop is called, or the test is over.
func (w *world) run(r *Runner) (stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.ctx)
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("runner: %v", err)
		}
	}
	w.t.Cleanup(stop)
	return stop
}

// append appends events of a business to a meter's stream, and returns the
// position of the last.
func (w *world) append(business, stream string, events ...any) eventstore.Position {
	w.t.Helper()
	return must(w.tryAppend(business, stream, eventstore.Any(), events...))(w.t)
}

func (w *world) tryAppend(business, stream string, expected eventstore.Expected, events ...any) (eventstore.Position, error) {
	proposed, err := w.codec.Encode(w.ctx, stream, eventstore.Metadata{
		CommandID: uuid.New(), Business: business, Operation: "meters.read", Origin: eventstore.OriginLive,
		Actor: eventstore.Actor{Kind: eventstore.ActorSystem}, RecordedAt: time.Now(),
	}, events...)
	if err != nil {
		return eventstore.Position{}, err
	}
	appended, err := w.client.Append(w.ctx, stream, expected, proposed...)
	return appended.Position, err
}

func (w *world) wait(r *Runner, projection string, position eventstore.Position) {
	w.t.Helper()
	if err := r.WaitFor(w.ctx, projection, position); err != nil {
		w.t.Fatal(err)
	}
}

// until waits for a query's answer.
func (w *world) until(what, query string, args ...any) {
	w.t.Helper()
	for {
		var ok *bool
		err := w.pool.QueryRow(w.ctx, query, args...).Scan(&ok)
		if err == nil && ok != nil && *ok {
			return
		}
		if !wait.For(w.ctx, 10*time.Millisecond) {
			w.t.Fatalf("%s: never (last: %v)", what, err)
		}
	}
}

func query[T any](w *world, query string, args ...any) T {
	w.t.Helper()
	var answer T
	if err := w.pool.QueryRow(w.ctx, query, args...).Scan(&answer); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	return answer
}

// ownedDatabase is one that belongs to a user without further rights but
// CREATEROLE, and is migrated by them.
func ownedDatabase(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	url := postgres.ForTest(t)
	conn := must(pgx.Connect(ctx, url))(t)
	defer conn.Close(ctx)
	user := fmt.Sprintf("owner_%s", strings.ReplaceAll(uuid.NewString(), "-", ""))
	if _, err := conn.Exec(ctx, fmt.Sprintf(`CREATE ROLE %[1]s LOGIN CREATEROLE PASSWORD 'test';
		ALTER DATABASE %[2]s OWNER TO %[1]s`, user, ident(conn.Config().Database))); err != nil {
		t.Fatal(err)
	}
	owned := strings.Replace(url, "postgres://postgres@", "postgres://"+user+":test@", 1)
	if owned == url {
		t.Fatal("cannot name the owner in the URL")
	}
	if err := database.Migrate(ctx, owned); err != nil {
		t.Fatal(err)
	}
	return owned
}
