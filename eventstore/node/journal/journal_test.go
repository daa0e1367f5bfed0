package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"
)

var whole = Limit{Records: 1 << 40, Bytes: 1 << 20}

func open(t *testing.T, dir string, o Options) *Journal {
	t.Helper()
	j, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return j
}

func event(kind string) Event {
	return Event{ID: uuid.New(), Type: kind, JSON: true, Data: []byte(`{"n":1}`), Metadata: []byte(`{}`)}
}

func mustAppend(t *testing.T, j *Journal, stream string, expected Expected, events ...Event) Result {
	t.Helper()
	r, err := j.Append(t.Context(), stream, expected, events)
	if err != nil {
		t.Fatalf("append to %s at %v: %v", stream, expected, err)
	}
	return r
}

// revisions reads a stream whole and returns its revisions.
func revisions(t *testing.T, j *Journal, stream string) []uint64 {
	t.Helper()
	s, err := j.Stream(stream)
	if err != nil {
		t.Fatal(err)
	}
	var got []uint64
	for from := uint64(0); ; {
		page, err := j.StreamForwards(t.Context(), s, from, whole)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Records {
			got = append(got, r.Revision)
		}
		if page.End {
			return got
		}
		from = page.Next
	}
}

func TestAppendsSurviveReopening(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	e := event("Opened")
	first, err := j.Append(t.Context(), "account-1", NoStream, []Event{e, event("Credited")})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}

	j = open(t, dir, Options{})
	if j.Head() != first.Position {
		t.Errorf("head %d after reopening, was %d", j.Head(), first.Position)
	}
	again := mustAppend(t, j, "account-1", NoStream, e)
	if again.Revision != 0 || again.Position != first.Position-1 {
		t.Errorf("the repeat was answered with %+v", again)
	}
	next := mustAppend(t, j, "account-1", 1, event("Debited"))
	if next.Position <= first.Position || next.Revision != 2 {
		t.Errorf("the next append was answered with %+v after %+v", next, first)
	}
}

func TestManyWritersKeepOrder(t *testing.T) {
	t.Parallel()
	j := open(t, t.TempDir(), Options{})
	const writers, each = 16, 50
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			stream := fmt.Sprintf("w-%d", w%4) // four writers a stream
			for range each {
				if _, err := j.Append(t.Context(), stream, Any, []Event{event("Tick"), event("Tock")}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for s := range 4 {
		for i, revision := range revisions(t, j, fmt.Sprintf("w-%d", s)) {
			if revision != uint64(i) {
				t.Fatalf("stream %d: revision %d at place %d", s, revision, i)
			}
		}
	}
	if want := uint64(writers * each * 2); j.Head() != want {
		t.Errorf("head %d, want %d", j.Head(), want)
	}
}

func TestSoftDeleteAndRevival(t *testing.T) {
	t.Parallel()
	for _, expected := range []Expected{Any, NoStream, 1} {
		t.Run(expected.String(), func(t *testing.T) {
			t.Parallel()
			j := open(t, t.TempDir(), Options{})
			mustAppend(t, j, "quote-1", NoStream, event("A"), event("B"))
			if _, err := j.Delete(t.Context(), "quote-1", 1); err != nil {
				t.Fatal(err)
			}
			if _, err := j.Stream("quote-1"); !errors.Is(err, ErrNoStream) {
				t.Fatalf("reading a deleted stream: %v", err)
			}
			var gone *StreamDeleted
			if _, err := j.Append(t.Context(), "quote-1", StreamExists, []Event{event("C")}); !errors.As(err, &gone) {
				t.Fatalf("demanding that a deleted stream exists: %v", err)
			}
			if r := mustAppend(t, j, "quote-1", expected, event("C")); r.Revision != 2 {
				t.Errorf("numbering went on at %d", r.Revision)
			}
			if got := revisions(t, j, "quote-1"); len(got) != 1 || got[0] != 2 {
				t.Errorf("visible after revival: %v", got)
			}
		})
	}
}

// Nothing decided in one group may depend on what the database does not hold
// yet: requests that arrive together see each other.
func TestRequestsOfOneGroupSeeEachOther(t *testing.T) {
	t.Parallel()
	j := open(t, t.TempDir(), Options{})
	e := event("A")
	steps := []*request{
		{kind: appendEvents, stream: "s", expected: NoStream, events: []Event{e}},
		{kind: appendEvents, stream: "s", expected: NoStream, events: []Event{e}},          // a repeat
		{kind: softDelete, stream: "s", expected: 0},                                       //
		{kind: appendEvents, stream: "s", expected: NoStream, events: []Event{event("B")}}, // revives
		{kind: appendEvents, stream: "s", expected: 0, events: []Event{event("C")}},        // wrong by now
	}
	g := &group{requests: steps}
	for _, r := range steps {
		if err := j.lookAhead(r); err != nil {
			t.Fatal(err)
		}
		r.done = make(chan struct{})
	}
	j.commit(g) // the writer is idle
	for _, r := range steps {
		<-r.done
	}
	if steps[1].err != nil || steps[1].result != steps[0].result {
		t.Errorf("repeat: %+v, %v", steps[1].result, steps[1].err)
	}
	if steps[3].err != nil || steps[3].result.Revision != 1 {
		t.Errorf("revival: %+v, %v", steps[3].result, steps[3].err)
	}
	var wrongly *WrongExpected
	if !errors.As(steps[4].err, &wrongly) || wrongly.Current != 1 {
		t.Errorf("late writer: %v", steps[4].err)
	}
	if got := revisions(t, j, "s"); len(got) != 1 || got[0] != 1 {
		t.Errorf("visible: %v", got)
	}
}

func TestClosedJournalRefuses(t *testing.T) {
	t.Parallel()
	j, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Append(context.Background(), "s", Any, []Event{event("A")}); !errors.Is(err, ErrClosed) {
		t.Errorf("append: %v", err)
	}
	if _, err := j.Forwards(context.Background(), 0, whole); !errors.Is(err, ErrClosed) {
		t.Errorf("read: %v", err)
	}
	if err := j.Wait(context.Background(), 1); !errors.Is(err, ErrClosed) {
		t.Errorf("wait: %v", err)
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, dir, Options{})
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("a second opener got %v", err)
	}
}
