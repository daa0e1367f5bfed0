package runner_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"portal.example/eventstore"
	"portal.example/eventstore/codectest"
	"portal.example/eventstore/node"
	"portal.example/internal/database"
	"portal.example/internal/postgres"
	"portal.example/projections/runner"
)

// The second example of docs/extending.md: which equipment is where. In the
// portal this would be projections/loans.

// Loans is the projection.
type Loans struct{}

func (Loans) Name() string { return "loans" }

func (Loans) Version() int { return 1 }

func (Loans) Types() []string {
	return []string{"EquipmentLent", "EquipmentReturned", "EquipmentReportedLost"}
}

func (Loans) Schema() string {
	return `
		CREATE TABLE loans (
			loan_id     text PRIMARY KEY,
			business_id text NOT NULL,
			customer_id text NOT NULL,
			items       text NOT NULL,
			due_at      timestamptz NOT NULL,
			state       text NOT NULL,
			_stream     text NOT NULL UNIQUE,
			_position   bigint NOT NULL
		);
		CREATE INDEX loans_due ON loans (business_id, due_at) WHERE state = 'out';`
}

// Apply folds the batch in memory, so that however many events there are, two
// statements do.
func (Loans) Apply(ctx context.Context, tx pgx.Tx, batch []eventstore.Decoded) error {
	var lent lentRows
	states := make(map[string]change) // by stream
	for _, d := range batch {
		stream, position := d.Record.Stream, int64(d.Record.Position.Commit)
		switch e := d.Event.(type) {
		case Lent:
			lent.add(d.Metadata.Business, e, stream, position)
			states[stream] = change{"out", position}
		case Returned:
			states[stream] = change{"returned", position}
		case ReportedLost:
			states[stream] = change{"lost", position}
		}
	}
	if err := lent.insert(ctx, tx); err != nil {
		return err
	}
	return update(ctx, tx, states)
}

type change struct {
	state    string
	position int64
}

type lentRows struct {
	loan, business, customer, items, stream []string
	due                                     []time.Time
	position                                []int64
}

func (r *lentRows) add(business string, e Lent, stream string, position int64) {
	r.loan, r.business, r.customer = append(r.loan, e.LoanID), append(r.business, business), append(r.customer, e.CustomerID)
	r.items, r.due = append(r.items, strings.Join(e.Items, ", ")), append(r.due, e.DueAt)
	r.stream, r.position = append(r.stream, stream), append(r.position, position)
}

func (r *lentRows) insert(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO loans (loan_id, business_id, customer_id, items, due_at, state, _stream, _position)
		SELECT loan, business, customer, items, due, 'out', stream, position
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::bigint[])
		  AS new (loan, business, customer, items, due, stream, position)`,
		r.loan, r.business, r.customer, r.items, r.due, r.stream, r.position)
	return err
}

func update(ctx context.Context, tx pgx.Tx, states map[string]change) error {
	var (
		streams, to []string
		positions   []int64
	)
	for stream, c := range states {
		streams, to, positions = append(streams, stream), append(to, c.state), append(positions, c.position)
	}
	_, err := tx.Exec(ctx, `
		UPDATE loans SET state = new.state, _position = new.position
		FROM unnest($1::text[], $2::text[], $3::bigint[]) AS new (stream, state, position)
		WHERE _stream = new.stream`, streams, to, positions)
	return err
}

func TestFromACommandToARow(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	// A log, a database, and what main composes of them.
	log, err := node.Start(ctx, node.Config{Dir: t.TempDir(), Insecure: true})
	must(err)
	defer log.Close()
	client, err := eventstore.Connect(eventstore.Config{ConnectionString: log.ConnectionString()})
	must(err)
	defer client.Close()
	pool, err := database.Open(ctx, postgres.ForTestWithTemplate(t, "example", func(url string) error {
		return database.Migrate(ctx, url)
	}))
	must(err)
	defer pool.Close()
	readers, err := database.NewReaders(ctx, pool)
	must(err)
	defer readers.Close()
	codec, err := eventstore.NewCodec(codectest.NewKeyring(), eventTypes()...)
	must(err)
	loans, err := eventstore.NewCategory[State, Event]("loan", client, codec, 1000)
	must(err)
	projections := runner.New(runner.Config{
		Pool: pool, Client: client, Codec: codec,
		Projections: []runner.Projection{Loans{}},
	})
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- projections.Run(running) }()
	defer func() {
		stop()
		must(<-done)
	}()

	// Two commands, and the position up to which the reader wants to see.
	give := func(cmd eventstore.Command[State, Event]) eventstore.Position {
		t.Helper()
		result, err := loans.Execute(ctx, loans.Stream("7"), eventstore.Metadata{
			CommandID: uuid.New(), Business: "acme", Operation: "loans.example", Origin: eventstore.OriginLive,
			Actor: eventstore.Actor{Kind: eventstore.ActorStaff, ID: "sam"}, RecordedAt: noon,
		}, cmd)
		must(err)
		return result.Position
	}
	give(Lend{LoanID: "7", CustomerID: "dana", Items: []string{"ladder", "drill"}, DueAt: noon.AddDate(0, 0, 7), At: noon})
	position := give(ReportLost{Account: "It fell into the canal.", At: noon})

	must(projections.WaitFor(ctx, "loans", position))
	var customer, items, state string
	question := &pgx.Batch{}
	question.Queue(`SELECT customer_id, items, state FROM loans`).QueryRow(func(row pgx.Row) error {
		return row.Scan(&customer, &items, &state)
	})
	must(readers.Ask(ctx, "acme", question))
	if customer != "dana" || items != "ladder, drill" || state != "lost" {
		t.Errorf("%s has %s: %s", customer, items, state)
	}
}

// The guide shows no code but that of these examples.
func TestTheGuideShowsTheseExamples(t *testing.T) {
	guide, err := os.ReadFile(filepath.Join("..", "..", "docs", "extending.md"))
	if err != nil {
		t.Fatal(err)
	}
	var examples strings.Builder
	for _, file := range []string{
		"example_event_test.go", "example_projection_test.go",
		filepath.Join("..", "..", "commands", "quotes", "on_quote_sent.go"),
		filepath.Join("..", "..", "internal", "outbox", "example_test.go"),
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		examples.Write(text)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(guide), -1)
	if len(blocks) < 5 {
		t.Errorf("%d blocks of code", len(blocks))
	}
	for _, b := range blocks {
		for _, piece := range strings.Split(b[1], "\n\n") {
			if !strings.Contains(examples.String(), strings.TrimSpace(piece)) {
				t.Errorf("this is in no example:\n%s", piece)
			}
		}
	}
}
