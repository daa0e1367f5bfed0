package journal

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
)

// ledger notes what writers were told, so that it can be held against what a
// crash left over.
type ledger struct {
	mu    sync.Mutex
	acked map[string][][]uuid.UUID // by stream, the batches acknowledged in order
}

func (l *ledger) note(stream string, batch []uuid.UUID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked[stream] = append(l.acked[stream], batch)
}

// snapshot is what had been acknowledged by now.
func (l *ledger) snapshot() map[string][][]uuid.UUID {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := make(map[string][][]uuid.UUID, len(l.acked))
	for stream, batches := range l.acked {
		s[stream] = batches[:len(batches):len(batches)]
	}
	return s
}

// crashed writes with 16 writers, takes the state of the disk at a moment under
// load, and tells what is wrong with the journal opened on it.
func crashed(t *testing.T, rng *rand.Rand, durable bool) error {
	t.Helper()
	disk := vfs.NewCrashableMem()
	j, err := Open("data", Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	if !durable {
		j.apply = func(db *pebble.DB, b *pebble.Batch) error { return db.Apply(b, pebble.NoSync) }
		j.sync = func(*pebble.Batch) error { return nil }
	}
	l := &ledger{acked: map[string][][]uuid.UUID{}}
	var acks atomic.Int64
	reached := make(chan struct{})
	moment := 1 + rng.Int64N(600)
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for w := range 16 {
		size := 1 + rng.IntN(5)
		writers.Go(func() {
			stream := fmt.Sprintf("w-%d", w)
			for {
				select {
				case <-stop:
					return
				default:
				}
				batch, ids := make([]Event, size), make([]uuid.UUID, size)
				for i := range batch {
					batch[i] = event("E")
					ids[i] = batch[i].ID
				}
				if _, err := j.Append(t.Context(), stream, Any, batch); err != nil {
					t.Error(err)
					return
				}
				l.note(stream, ids)
				if acks.Add(1) == moment {
					close(reached)
				}
			}
		})
	}
	<-reached
	told := l.snapshot()
	left := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(100), RNG: rng})
	close(stop)
	writers.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return compare(t, left, told)
}

// compare opens what a crash left and tells what acknowledged event it lacks.
func compare(t *testing.T, left vfs.FS, told map[string][][]uuid.UUID) error {
	t.Helper()
	j, err := Open("data", Options{FS: left})
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}()
	found := map[string][]uuid.UUID{}
	at := uint64(0)
	for page := (Page{}); !page.End; {
		if page, err = j.Forwards(t.Context(), page.Next, whole); err != nil {
			return err
		}
		for _, r := range page.Records {
			if r.Position <= at {
				return fmt.Errorf("position %d after %d", r.Position, at)
			}
			at = r.Position
			if int(r.Revision) != len(found[string(r.Stream)]) {
				return fmt.Errorf("stream %s: revision %d at place %d", r.Stream, r.Revision, len(found[string(r.Stream)]))
			}
			found[string(r.Stream)] = append(found[string(r.Stream)], r.ID)
		}
	}
	for stream, batches := range told {
		place, size := 0, len(batches[0])
		for _, batch := range batches {
			for _, id := range batch {
				if place >= len(found[stream]) || found[stream][place] != id {
					return fmt.Errorf("stream %s: the acknowledged event at revision %d is lost", stream, place)
				}
				place++
			}
		}
		if rest := len(found[stream]) - place; rest%size != 0 {
			return fmt.Errorf("stream %s: %d events of an unacknowledged batch of %d", stream, rest, size)
		}
	}
	return nil
}

func TestNothingAcknowledgedIsLostInAPowerCut(t *testing.T) {
	t.Parallel()
	for round := range uint64(25) {
		rng := rand.New(rand.NewPCG(round, 1))
		if err := crashed(t, rng, true); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
}

// The same test must fail on a journal that does not sync; else it proves
// nothing.
func TestAPowerCutWithoutSyncLosesEvents(t *testing.T) {
	t.Parallel()
	for round := range uint64(25) {
		rng := rand.New(rand.NewPCG(round, 2))
		if err := crashed(t, rng, false); err != nil {
			return // as it must be
		}
	}
	t.Error("25 power cuts lost nothing, although nothing was synced")
}
