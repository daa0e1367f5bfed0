package keys

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"portal.example/eventstore"
	"portal.example/internal/postgres"
)

// database is a migrated database with a pool that counts its statements, and a
// clock that stands still.
type database struct {
	pool *pgxpool.Pool
	counter
	clock atomic.Int64 // nanoseconds
}

type counter struct{ statements atomic.Int64 }

func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.statements.Add(1)
	return ctx
}

func (c *counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func newDatabase(t *testing.T) *database {
	t.Helper()
	config, err := pgxpool.ParseConfig(postgres.ForTestWithTemplate(t, "keys", migrated))
	if err != nil {
		t.Fatal(err)
	}
	d := &database{}
	config.ConnConfig.Tracer = &d.counter
	d.pool, err = pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.pool.Close)
	return d
}

func migrated(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	return errors.Join(Migrate(ctx, conn), conn.Close(ctx))
}

func (d *database) now() time.Time { return time.Unix(0, d.clock.Load()) }

// open makes what one instance of the portal has.
func (d *database) open(t *testing.T, master string) *Store {
	t.Helper()
	s, err := Open(t.Context(), d.pool, openMaster(t, master))
	if err != nil {
		t.Fatal(err)
	}
	s.cache.now = d.now
	return s
}

func obtain(t *testing.T, s *Store, subjects ...eventstore.Subject) map[eventstore.Subject]eventstore.Key {
	t.Helper()
	keys, err := s.Obtain(t.Context(), subjects)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func lookup(t *testing.T, s *Store, subjects ...eventstore.Subject) map[eventstore.Subject]eventstore.Key {
	t.Helper()
	keys, err := s.Lookup(t.Context(), subjects)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func destroy(t *testing.T, s *Store, subject eventstore.Subject) time.Time {
	t.Helper()
	at, err := s.Destroy(t.Context(), subject)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func seal(t *testing.T, key eventstore.Key) []byte {
	t.Helper()
	ciphertext, err := key.Encrypt([]byte("Dana Reyes"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return ciphertext
}

func opens(key eventstore.Key, ciphertext []byte) bool {
	plaintext, err := key.Decrypt(ciphertext, nil)
	return err == nil && string(plaintext) == "Dana Reyes"
}

func TestKeysOutliveTheStore(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	elsewhere := eventstore.Subject{Business: "bolt", ID: "dana"}
	keys := obtain(t, d.open(t, text(1)), dana, elsewhere)
	sealed := seal(t, keys[dana])
	if opens(keys[elsewhere], sealed) {
		t.Error("one key serves two businesses")
	}
	again := lookup(t, d.open(t, text(1)), dana, elsewhere)
	if !opens(again[dana], sealed) || len(again) != 2 {
		t.Errorf("found %d keys, or another one", len(again))
	}
	if keys := lookup(t, d.open(t, text(1)), eventstore.Subject{Business: "acme", ID: "nobody"}); len(keys) != 0 {
		t.Errorf("looking up made %v", keys)
	}
}

func TestManyKeysTakeFewStatements(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	people := make([]eventstore.Subject, 1000)
	for i := range people {
		people[i] = eventstore.Subject{Business: fmt.Sprint("business", i%7), ID: fmt.Sprint("person", i)}
	}
	count := func(do func()) int64 {
		before := d.statements.Load()
		do()
		return d.statements.Load() - before
	}
	first, second := d.open(t, text(1)), d.open(t, text(1))
	// Look-up, BEGIN, SET, INSERT, COMMIT, look-up.
	if n := count(func() { obtain(t, first, people...) }); n > 6 {
		t.Errorf("%d statements to make 1,000 keys", n)
	}
	if n := count(func() { lookup(t, first, people...) }); n != 0 {
		t.Errorf("%d statements for cached keys", n)
	}
	if n := count(func() {
		if keys := lookup(t, second, people...); len(keys) != len(people) {
			t.Errorf("found %d keys", len(keys))
		}
	}); n != 1 {
		t.Errorf("%d statements for 1,000 keys with a cold cache", n)
	}
}

func TestInstancesThatRaceAgreeOnTheKeys(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	people := make([]eventstore.Subject, 50)
	for i := range people {
		people[i] = eventstore.Subject{Business: "acme", ID: fmt.Sprint(i)}
	}
	got := make([]map[eventstore.Subject]eventstore.Key, 8)
	var wait sync.WaitGroup
	for i := range got {
		store := d.open(t, text(1))
		order := append(people[i*5:len(people):len(people)], people[:i*5]...)
		wait.Go(func() {
			keys, err := store.Obtain(t.Context(), order)
			if err != nil {
				t.Error(err)
			}
			got[i] = keys
		})
	}
	wait.Wait()
	for _, person := range people {
		sealed := seal(t, got[0][person])
		for i, keys := range got {
			if !opens(keys[person], sealed) {
				t.Fatalf("instance %d has another key of %s", i, person.ID)
			}
		}
	}
}

func TestErasureIsForGood(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	here, there := d.open(t, text(1)), d.open(t, text(1))
	lee := eventstore.Subject{Business: "acme", ID: "lee"} // never had a key
	obtain(t, here, dana)
	obtain(t, there, dana)

	at := destroy(t, here, dana)
	destroy(t, here, lee)
	for name, s := range map[string]*Store{"here": here, "after a restart": d.open(t, text(1))} {
		keys := lookup(t, s, dana, lee)
		if len(keys) != 2 || keys[dana] != nil || keys[lee] != nil {
			t.Errorf("%s: %v", name, keys)
		}
		for _, subject := range []eventstore.Subject{dana, lee} {
			if _, err := s.Obtain(t.Context(), []eventstore.Subject{subject}); !errors.Is(err, eventstore.ErrErased) {
				t.Errorf("%s: a new key of %s: %v", name, subject.ID, err)
			}
		}
	}
	if again := destroy(t, there, dana); !again.Equal(at) {
		t.Errorf("erased at %v, and then at %v", at, again)
	}
	var wrapped []byte
	err := d.pool.QueryRow(t.Context(), `SELECT wrapped FROM keys.subjects WHERE subject = 'dana'`).Scan(&wrapped)
	if err != nil || wrapped != nil {
		t.Errorf("left in the row: %x, %v", wrapped, err)
	}
}

func TestErasureElsewhereIsNoticedWithinSeconds(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	here, there := d.open(t, text(1)), d.open(t, text(1))
	obtain(t, here, dana)
	destroy(t, there, dana)

	d.clock.Add(int64(maxAge - 1))
	if lookup(t, here, dana)[dana] == nil {
		t.Error("the key is not cached at all")
	}
	d.clock.Add(1)
	if lookup(t, here, dana)[dana] != nil {
		t.Errorf("the key is still there after %v", maxAge)
	}
}

// An answer that was on its way when the key was destroyed must not bring it
// back into the cache.
func TestALateAnswerDoesNotUndoAnErasure(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	s := d.open(t, text(1))
	late := obtain(t, s, dana)
	destroy(t, s, dana)
	s.cache.put(maps.Clone(late), d.now())
	if lookup(t, s, dana)[dana] != nil {
		t.Error("the key is back")
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	s := d.open(t, text(1))
	small, err := newCache(2, maxAge, d.now)
	if err != nil {
		t.Fatal(err)
	}
	s.cache = small
	for i := range 5 {
		obtain(t, s, eventstore.Subject{Business: "acme", ID: fmt.Sprint(i)})
	}
	if n := s.cache.entries.Len(); n != 2 {
		t.Errorf("%d entries", n)
	}
}

func TestAnotherMasterKeyIsRefused(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	obtain(t, d.open(t, text(1)), dana)
	_, err := Open(t.Context(), d.pool, openMaster(t, text(2)))
	if err == nil || !strings.Contains(err.Error(), openMaster(t, text(1)).current().id) {
		t.Errorf("opened with another master key: %v", err)
	}
}

func TestARowThatWasTamperedWith(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	lee := eventstore.Subject{Business: "acme", ID: "lee"}
	obtain(t, d.open(t, text(1)), dana, lee)
	if _, err := d.pool.Exec(t.Context(), `
		UPDATE keys.subjects SET wrapped = (SELECT wrapped FROM keys.subjects WHERE subject = 'lee')
		WHERE subject = 'dana'`); err != nil {
		t.Fatal(err)
	}
	if keys, err := d.open(t, text(1)).Lookup(t.Context(), []eventstore.Subject{dana}); err == nil {
		t.Errorf("another's key passed as %v", keys)
	}
}

func TestRewrap(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	people := make([]eventstore.Subject, rewrapAtOnce+10)
	for i := range people {
		people[i] = eventstore.Subject{Business: fmt.Sprint("b", i%3), ID: fmt.Sprint(i)}
	}
	before := d.open(t, text(1))
	sealed := seal(t, obtain(t, before, people...)[people[7]])
	destroy(t, before, people[8])

	during := d.open(t, text(2)+","+text(1))
	for _, want := range []int{len(people) - 1, 0} {
		if got, err := during.Rewrap(t.Context()); err != nil || got != want {
			t.Errorf("rewrapped %d, %v; want %d", got, err, want)
		}
	}
	after := d.open(t, text(2))
	keys := lookup(t, after, people...)
	if !opens(keys[people[7]], sealed) || keys[people[8]] != nil || len(keys) != len(people) {
		t.Error("a key is not what it was")
	}
}

// A key that is destroyed between Rewrap's reading and writing stays destroyed.
func TestRewrapDoesNotUndoAnErasure(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	obtain(t, d.open(t, text(1)), dana)
	s := d.open(t, text(2)+","+text(1))
	batch, err := s.wrappedByOthers(t.Context(), eventstore.Subject{})
	if err != nil || len(batch) != 1 {
		t.Fatalf("%d keys to wrap, %v", len(batch), err)
	}
	destroy(t, s, dana)
	if err := s.rewrap(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if lookup(t, d.open(t, text(2)), dana)[dana] != nil {
		t.Error("the key is back")
	}
}

func TestMigratingTogether(t *testing.T) {
	t.Parallel()
	url := postgres.ForTest(t)
	var wait sync.WaitGroup
	for range 6 {
		wait.Go(func() {
			if err := migrated(url); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
}
