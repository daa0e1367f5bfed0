package invoices_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"portal.example/commands"
	"portal.example/commands/invoices"
	"portal.example/domain"
	"portal.example/domain/invoice"
	"portal.example/eventstore"
	"portal.example/internal/bookmark"
	"portal.example/internal/database"
	"portal.example/internal/postgres"
)

// shelf is a database for bookmarks.
func shelf(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool, err := database.Open(t.Context(), postgres.ForTestWithTemplate(t, "sweeper", func(url string) error {
		return database.Migrate(context.Background(), url)
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// counted is a source that counts the events it delivers.
type counted struct {
	eventstore.Source
	events *atomic.Int64
}

func (c counted) NextBatch(ctx context.Context, limit int) ([]eventstore.Notice, error) {
	batch, err := c.Source.NextBatch(ctx, limit)
	for _, n := range batch {
		if n.Kind == eventstore.EventAppeared {
			c.events.Add(1)
		}
	}
	return batch, err
}

// portal is a sweeper as one instance of the portal runs it, from its start to
// its stop.
type portal struct {
	read  atomic.Int64 // events
	looks atomic.Int64 // at the clock, before each sweep
	stop  func()
}

// starts runs a sweeper. Where it is impatient, what is under way counts as
// interrupted at once.
func (l *lab) starts(mark *bookmark.Bookmark, impatient bool) *portal {
	l.t.Helper()
	p := &portal{}
	patience := time.Hour
	if impatient {
		patience = 0
	}
	room := l.room(l.client)
	room.Now = func() time.Time {
		p.looks.Add(1)
		return time.Now()
	}
	sweeper := &invoices.Sweeper{
		Room: room, Client: l.client, Logger: slog.New(slog.DiscardHandler), Bookmark: mark,
		Every: 20 * time.Millisecond, Patience: patience,
		Subscribe: func(ctx context.Context, o eventstore.SubscribeOptions) eventstore.Source {
			return counted{l.client.Subscribe(ctx, o), &p.read}
		},
	}
	ctx, cancel := context.WithCancel(l.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- sweeper.Run(ctx) }()
	stopped := false
	p.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			l.t.Error(err)
		}
	}
	l.t.Cleanup(p.stop)
	return p
}

func (l *lab) until(what string, done func() bool) {
	l.t.Helper()
	limit, cancel := context.WithTimeout(l.t.Context(), time.Minute)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !done() {
		select {
		case <-again.C:
		case <-limit.Done():
			l.t.Fatalf("not within a minute: %s", what)
		}
	}
}

func (l *lab) found(mark *bookmark.Bookmark) bookmark.Place {
	l.t.Helper()
	place, err := mark.Find(l.t.Context(), l.client)
	if err != nil {
		l.t.Fatal(err)
	}
	return place
}

// issued is an invoice with its number, by two events for the sweeper.
func (l *lab) issued(h http.Handler, key string) string {
	l.t.Helper()
	id := l.drafted(h, key)
	if status, body := post(h, "/invoices/"+id+"/issue", "issue", `{}`); status != http.StatusOK {
		l.t.Fatalf("issuing: %d %s", status, body)
	}
	return id
}

// interrupted is an invoice whose issue got as far as the register, and no
// further.
func (l *lab) interrupted(h http.Handler, key string) string {
	l.t.Helper()
	id := l.drafted(h, key)
	m := l.system()
	frozen, err := l.sound.Invoices.Execute(l.t.Context(), invoice.Stream(id), m, invoice.Freeze{
		IssuedOn: domain.Date{Year: 2026, Month: 3, Day: 14}, DueOn: domain.Date{Year: 2026, Month: 4, Day: 13}, At: m.RecordedAt,
	})
	if err != nil {
		l.t.Fatal(err)
	}
	lost := l.room(losing{l.client, invoice.Stream(id)})
	if _, err := invoices.Number(l.t.Context(), lost, commands.NextStep(m, "number"), frozen.State, m.RecordedAt); err == nil {
		l.t.Fatal("nothing was interrupted")
	}
	return id
}

// losing is a log that loses what is sent to one stream.
type losing struct {
	eventstore.Log
	stream string
}

func (l losing) Append(
	ctx context.Context, stream string, expected eventstore.Expected, events ...eventstore.Proposed,
) (eventstore.Appended, error) {
	if stream == l.stream {
		return eventstore.Appended{}, &eventstore.Error{Op: "append to", Stream: stream, Kind: eventstore.ErrUnavailable}
	}
	return l.Log.Append(ctx, stream, expected, events...)
}

func (l *lab) status(id string) invoice.Status {
	l.t.Helper()
	return look(l, l.sound.Invoices, invoice.Stream(id)).Status
}

// A start reads what came after the bookmark, which stays before an interrupted
// issue for as long as that is open, whoever moves it, and however much follows.
func TestARestartReadsTheTailAndWhatIsOpen(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	sound := l.instance(l.client)
	mark := &bookmark.Bookmark{DB: shelf(t), Follower: "sweeper"}
	const history, later = 30, 3
	for i := range history {
		l.issued(sound, fmt.Sprintf("history %d", i))
	}
	first := l.starts(mark, false)
	var last bookmark.Place
	l.until("the history is behind the bookmark", func() bool {
		last = l.found(mark)
		return first.read.Load() == 2*history && last.EventID != uuid.Nil
	})

	open := l.interrupted(sound, "open")
	for i := range later {
		l.issued(sound, fmt.Sprintf("later %d", i))
	}
	l.until("all of it has been read", func() bool { return first.read.Load() == 2*history+1+2*later })
	looked := first.looks.Load()
	l.until("it has had the time to move the bookmark", func() bool { return first.looks.Load() > looked+3 })
	if now := l.found(mark); now != last {
		t.Errorf("with an open issue the bookmark went on from %v to %v", last, now)
	}
	first.stop()

	// Two instances start; one of them takes what is under way for interrupted.
	patient, impatient := l.starts(mark, false), l.starts(mark, true)
	l.until("the open issue is finished", func() bool { return l.status(open) == invoice.StatusIssued })
	l.until("nothing is left before the bookmark", func() bool { return l.found(mark).Stream == invoice.Stream(open) })
	const tail = 1 + 2*later + 1 // with the end of what was open
	for name, p := range map[string]*portal{"patient": patient, "impatient": impatient} {
		l.until(name+" has read the tail", func() bool { return p.read.Load() == tail })
		p.stop()
	}

	after := l.starts(mark, true)
	l.issued(sound, "after")
	l.until("a third start has read what is new", func() bool { return l.found(mark).EventID != uuid.Nil && after.read.Load() == 2 })
	after.stop()
	if n := after.read.Load(); n != 2 {
		t.Errorf("read %d events of %d", n, 2*history+tail+2)
	}
}

// A bookmark that was made in another log is none, and is not followed.
func TestABookmarkOfAnotherLog(t *testing.T) {
	t.Parallel()
	elsewhere, here := newLab(t), newLab(t)
	mark := &bookmark.Bookmark{DB: shelf(t), Follower: "sweeper"}
	away := elsewhere.instance(elsewhere.client)
	for i := range 5 {
		elsewhere.issued(away, fmt.Sprintf("invoice %d", i))
	}
	there := elsewhere.starts(mark, false)
	elsewhere.until("the other log is behind the bookmark", func() bool { return elsewhere.found(mark).EventID != uuid.Nil })
	there.stop()

	open := here.interrupted(here.instance(here.client), "open")
	here.starts(mark, true)
	here.until("what was open in this log is finished", func() bool { return here.status(open) == invoice.StatusIssued })
	here.until("the bookmark is one of this log", func() bool { return here.found(mark).Stream == invoice.Stream(open) })
}
