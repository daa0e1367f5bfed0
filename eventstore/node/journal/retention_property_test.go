package journal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// Two journals are told the same, and retention runs on one of them. As long as
// nobody wants back what metadata has hidden, nobody who reads streams, or
// appends to them, can tell which is which; and a business's stream, which has
// no metadata, keeps everything.
func TestRetentionChangesNothingThatCanBeSeen(t *testing.T) {
	t.Parallel()
	for round := range uint64(3) {
		rng := rand.New(rand.NewPCG(round, 4))
		pair := [2]*twin{newTwin(t), newTwin(t)}
		streams := []string{"a", "b", "c", "quote-1"}
		for range 150 {
			stream := streams[rng.IntN(len(streams))]
			described := streams[rng.IntN(3)]
			both := func(what string, do func(*twin) string) {
				t.Helper()
				if kept, retained := do(pair[0]), do(pair[1]); kept != retained {
					t.Fatalf("round %d: %s: %s with retention, %s without", round, what, retained, kept)
				}
			}
			id := uuid.New()
			switch rng.IntN(12) {
			case 0, 1, 2, 3, 4:
				events := make([]Event, 1+rng.IntN(5))
				for i := range events {
					events[i] = event("E")
				}
				expected := []Expected{StreamExists, Any, Any, Any, NoStream, 0, 1, 2, 3, 5, 8}[rng.IntN(11)]
				both("append", func(w *twin) string { return w.append(stream, expected, events...) })
			case 5, 6:
				e := event("$metadata")
				e.Data = pair[0].stricter(described, 1+rng.Int64N(9), rng.Int64N(9))
				both("describe", func(w *twin) string { return w.append(metaPrefix+described, Any, e) })
			case 7:
				both("delete", func(w *twin) string { w.id = id; return fmt.Sprint(w.Delete(t.Context(), described, Any)) })
			case 8:
				if rng.IntN(8) == 0 {
					both("tombstone", func(w *twin) string { w.id = id; return fmt.Sprint(w.Tombstone(t.Context(), described, Any)) })
				}
			case 9, 10:
				retain(t, pair[1].Journal)
			case 11:
				if rng.IntN(4) == 0 {
					pair[0].reopen()
					pair[1].reopen()
				}
			}
			both("stream "+stream, func(w *twin) string { return w.shows(stream) })
			both("metadata of "+stream, func(w *twin) string { return w.shows(metaPrefix + stream) })
		}
		retain(t, pair[1].Journal)
		kept, retained := inAll(t, pair[0].Journal), inAll(t, pair[1].Journal)
		business := func(all []string) []string {
			return slices.DeleteFunc(slices.Clone(all), func(e string) bool { return !strings.HasSuffix(e, "@quote-1") })
		}
		if diff := cmp.Diff(business(kept), business(retained)); diff != "" {
			t.Errorf("round %d: the business's events in $all:\n%s", round, diff)
		}
		if kept[0] != retained[0] || kept[len(kept)-1] != retained[len(retained)-1] || len(retained) >= len(kept) {
			t.Errorf("round %d: of %d events from %s to %s, %d are left, from %s to %s", round,
				len(kept), kept[0], kept[len(kept)-1], len(retained), retained[0], retained[len(retained)-1])
		}
		pair[0].close()
		pair[1].close()
	}
}

// twin is one of two journals that are told the same.
type twin struct {
	*Journal
	t    *testing.T
	disk vfs.FS
	id   uuid.UUID // of the event that the journal makes next
}

func newTwin(t *testing.T) *twin {
	w := &twin{t: t, disk: vfs.NewMem()}
	w.open()
	return w
}

func (w *twin) open() {
	var err error
	p := hurried()
	p.garbage = 1 << 20
	w.Journal, err = Open("data", Options{FS: w.disk, pace: p, NewID: func() uuid.UUID { return w.id }})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *twin) close() {
	if err := w.Close(); err != nil {
		w.t.Error(err)
	}
}

func (w *twin) reopen() {
	w.close()
	w.open()
}

// stricter is metadata that shows nothing again which was hidden.
func (w *twin) stricter(stream string, maxCount, truncateBefore int64) []byte {
	h, err := w.loadHead(stream, everything)
	if err != nil {
		w.t.Fatal(err)
	}
	if h.policy.MaxCount > 0 {
		maxCount = min(maxCount, h.policy.MaxCount)
	}
	hidden := h.policy.first(h.last)
	if h.softDeleted() {
		hidden = h.last + 1
	}
	return fmt.Appendf(nil, `{"$maxCount":%d,"$tb":%d}`, maxCount, max(truncateBefore, hidden))
}

func (w *twin) append(stream string, expected Expected, events ...Event) string {
	r, err := w.Append(w.t.Context(), stream, expected, events)
	return fmt.Sprint(r, err)
}

// shows is what reading a stream gives, forwards and backwards.
func (w *twin) shows(stream string) string {
	s, err := w.Stream(stream)
	if err != nil {
		return err.Error()
	}
	forwards, err := w.StreamForwards(w.t.Context(), s, 0, whole)
	if err != nil {
		return err.Error()
	}
	backwards, err := w.StreamBackwards(w.t.Context(), s, uint64(s.Last), whole)
	if err != nil {
		return err.Error()
	}
	slices.Reverse(backwards.Records)
	text := func(p Page) (all string) {
		for _, r := range p.Records {
			all += fmt.Sprintf("%d:%d:%s:%s ", r.Position, r.Revision, r.ID, r.Data)
		}
		return all
	}
	if there, back := text(forwards), text(backwards); there != back {
		return there + "but backwards " + back
	}
	return fmt.Sprintf("%d to %d: %s", s.First, s.Last, text(forwards))
}

// A power cut in the middle of it leaves nothing half deleted, and what is left
// is deleted afterwards. Writers and readers go on all the while.
func TestAPowerCutInTheMiddleOfRetention(t *testing.T) {
	t.Parallel()
	for round := range uint64(4) {
		rng := rand.New(rand.NewPCG(round, 3))
		disk := vfs.NewCrashableMem()
		j, err := Open("data", Options{FS: disk, pace: hurried()})
		if err != nil {
			t.Fatal(err)
		}
		describe(t, j, "passing", `{"$maxCount":3}`)
		mustAppend(t, j, "passing", NoStream, event("E"))
		l := &ledger{acked: map[string][][]uuid.UUID{}}
		first := event("E")
		mustAppend(t, j, "quote-1", NoStream, first)
		l.note("quote-1", []uuid.UUID{first.ID})
		stop := make(chan struct{})
		var busy sync.WaitGroup
		again := func(do func() error) {
			busy.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if err := do(); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		again(func() error {
			_, err := j.Append(t.Context(), "passing", Any, []Event{event("E"), event("E")})
			return err
		})
		again(func() error {
			e := event("E")
			_, err := j.Append(t.Context(), "quote-1", Any, []Event{e})
			l.note("quote-1", []uuid.UUID{e.ID})
			return err
		})
		again(func() error { return readInOrder(t, j) })
		cut := 20 + rng.IntN(60) // deletions into it
		for deleted := 0; deleted < cut; {
			deleted += retain(t, j).events
		}
		told := l.snapshot()
		left := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(100), RNG: rng})
		for range 3 { // which have nothing to do with what was left
			retain(t, j)
		}
		close(stop)
		busy.Wait()
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		j, err = Open("data", Options{FS: left, pace: hurried()})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if got := revisions(t, j, "quote-1"); len(got) < len(told["quote-1"]) {
			t.Errorf("round %d: %d events of the business are left of %d", round, len(got), len(told["quote-1"]))
		}
		retain(t, j)
		s, err := j.Stream("passing")
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"0@$$passing"} // the log's first event
		for revision := s.Last - 2; revision <= s.Last; revision++ {
			want = append(want, fmt.Sprintf("%d@passing", revision))
		}
		got := slices.DeleteFunc(inAll(t, j), func(e string) bool { return strings.HasSuffix(e, "@quote-1") })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("round %d: after the power cut\n%s", round, diff)
		}
		mustAppend(t, j, "passing", Expected(s.Last), event("E"))
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// readInOrder reads everything in small pages and tells what is out of order.
func readInOrder(t *testing.T, j *Journal) error {
	business, at := uint64(0), uint64(0)
	for page := (Page{}); !page.End; {
		var err error
		if page, err = j.Forwards(t.Context(), page.Next, Limit{Records: 13, Bytes: 1 << 20}); err != nil {
			return err
		}
		for _, r := range page.Records {
			if r.Position <= at {
				return fmt.Errorf("position %d after %d", r.Position, at)
			}
			at = r.Position
			if string(r.Stream) == "quote-1" {
				if r.Revision != business {
					return fmt.Errorf("revision %d of the business at place %d", r.Revision, business)
				}
				business++
			}
		}
	}
	s, err := j.Stream("passing")
	if err != nil {
		return err
	}
	page, err := j.StreamBackwards(t.Context(), s, uint64(s.Last), whole)
	if err == nil && len(page.Records) > 3 {
		err = fmt.Errorf("%d events of three are shown", len(page.Records))
	}
	if err == nil && page.Records == nil && j.Head() == at {
		err = errors.New("a stream that is not empty shows nothing")
	}
	return err
}
