package journal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// hurried is a pace without pauses, for retention that is called and not waited
// for.
func hurried() *pace {
	return &pace{first: time.Hour, every: time.Hour, settle: time.Hour, events: 7, looks: 3, garbage: 1}
}

// retain runs retention over every stream as if no reader could be near the
// end of the log, and returns what it has deleted.
func retain(t *testing.T, j *Journal) freed {
	t.Helper()
	leaveTail(j)
	f, err := j.retention.everyStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// leaveTail makes the tail empty, as it is after opening.
func leaveTail(j *Journal) {
	j.tail.mu.Lock()
	defer j.tail.mu.Unlock()
	j.tail.records, j.tail.bytes = nil, 0
}

func describe(t *testing.T, j *Journal, stream, metadata string) {
	t.Helper()
	e := event("$metadata")
	e.Data = []byte(metadata)
	mustAppend(t, j, metaPrefix+stream, Any, e)
}

func appendMany(t *testing.T, j *Journal, stream string, n int) {
	t.Helper()
	for range n {
		mustAppend(t, j, stream, Any, event("E"))
	}
}

// inAll is what $all has, as revision@stream.
func inAll(t *testing.T, j *Journal) (all []string) {
	t.Helper()
	for page := (Page{}); !page.End; {
		var err error
		if page, err = j.Forwards(t.Context(), page.Next, whole); err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Records {
			all = append(all, fmt.Sprintf("%d@%s", r.Revision, r.Stream))
		}
	}
	return all
}

func TestRetentionDeletesWhatCanNoLongerBeRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, err := Open(dir, Options{pace: hurried()})
	if err != nil {
		t.Fatal(err)
	}
	appendMany(t, j, "first", 2) // whose revision 0 is the log's first event
	describe(t, j, "first", `{"$tb":1}`)
	appendMany(t, j, "counted", 20)
	describe(t, j, "counted", `{"$maxCount":5}`)
	describe(t, j, "counted", `{"$maxCount":3}`)
	appendMany(t, j, "truncated", 10)
	describe(t, j, "truncated", `{"$tb":8}`)
	appendMany(t, j, "emptied", 4)
	describe(t, j, "emptied", `{"$tb":100}`)
	appendMany(t, j, "quote-1", 5) // a business's
	appendMany(t, j, "deleted", 6)
	appendMany(t, j, "tombstoned", 9)
	describe(t, j, "tombstoned", `{"$maxCount":100}`)
	appendMany(t, j, "bare", 9) // tombstoned too, without metadata
	if _, err := j.Delete(t.Context(), "deleted", Any); err != nil {
		t.Fatal(err)
	}
	for _, stream := range []string{"tombstoned", "bare"} {
		if _, err := j.Tombstone(t.Context(), stream, Any); err != nil {
			t.Fatal(err)
		}
	}
	head := j.Head()
	f := retain(t, j)

	want := []string{
		"0@first", "1@first", "0@$$first", "17@counted", "18@counted", "19@counted", "1@$$counted",
		"8@truncated", "9@truncated", "0@$$truncated", "3@emptied", "0@$$emptied",
		"0@quote-1", "1@quote-1", "2@quote-1", "3@quote-1", "4@quote-1",
		"5@deleted", "0@$$deleted",
		fmt.Sprintf("%d@tombstoned", int64(tombstoneRevision)), fmt.Sprintf("%d@bare", int64(tombstoneRevision)),
	}
	check := func(j *Journal) {
		t.Helper()
		if diff := cmp.Diff(want, inAll(t, j)); diff != "" {
			t.Errorf("$all:\n%s", diff)
		}
		for stream, revisionsWant := range map[string][]uint64{
			"first": {1}, "counted": {17, 18, 19}, "truncated": {8, 9}, "emptied": nil, "quote-1": {0, 1, 2, 3, 4},
		} {
			if got := revisions(t, j, stream); !slices.Equal(got, revisionsWant) {
				t.Errorf("%s shows %v", stream, got)
			}
		}
		if _, err := j.Stream("deleted"); !errors.Is(err, ErrNoStream) {
			t.Errorf("the deleted stream: %v", err)
		}
		var gone *StreamDeleted
		for _, stream := range []string{"tombstoned", "bare", "$$tombstoned"} {
			if _, err := j.Stream(stream); !errors.As(err, &gone) {
				t.Errorf("%s: %v", stream, err)
			}
		}
		if j.Head() != head {
			t.Errorf("head %d, was %d", j.Head(), head)
		}
		if _, err := j.At("counted", 3); !errors.Is(err, ErrNoStream) {
			t.Errorf("a link to a deleted event: %v", err)
		}
	}
	check(j)
	if f.events == 0 || f.bytes == 0 || f.streams != 9 {
		t.Errorf("reported %+v", f)
	}
	if again := retain(t, j); again.events != 0 {
		t.Errorf("a second look deleted %+v", again)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}

	j = open(t, dir, Options{pace: hurried()}) // findEnd and the high-water mark agree
	check(j)
	for stream, expected := range map[string]Expected{"first": 1, "counted": 19, "truncated": 9, "emptied": 3, "deleted": NoStream} {
		r := mustAppend(t, j, stream, expected, event("E"))
		if head++; r.Position != head {
			if stream == "deleted" && r.Position == head+1 { // its new metadata comes first
				head++
				continue
			}
			t.Errorf("%s: appended at %d, want %d", stream, r.Position, head)
		}
	}
	if got := revisions(t, j, "deleted"); !slices.Equal(got, []uint64{6}) {
		t.Errorf("after its revival: %v", got)
	}
}

// A repeat of an append whose events have gone is no repeat any more, as with
// EventStoreDB: nothing is left to tell it by but the ids remembered lately.
func TestRepeatOfADeletedEventIsRefusedOnceForgotten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, err := Open(dir, Options{pace: hurried()})
	if err != nil {
		t.Fatal(err)
	}
	appendMany(t, j, "other", 1)
	e := event("A")
	first := mustAppend(t, j, "s", NoStream, e)
	appendMany(t, j, "s", 3)
	describe(t, j, "s", `{"$maxCount":1}`)
	retain(t, j)
	if again := mustAppend(t, j, "s", NoStream, e); again != first {
		t.Errorf("a repeat that is remembered: %+v, was %+v", again, first)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, dir, Options{})
	var wrongly *WrongExpected
	if _, err := j.Append(t.Context(), "s", NoStream, []Event{e}); !errors.As(err, &wrongly) || wrongly.Current != 3 {
		t.Errorf("a repeat that nothing tells: %v", err)
	}
}

// What still is in the tail, where readers may be, stays.
func TestRetentionLeavesTheTailAlone(t *testing.T) {
	t.Parallel()
	j := open(t, t.TempDir(), Options{pace: hurried()})
	appendMany(t, j, "s", 10)
	describe(t, j, "s", `{"$maxCount":1}`)
	if f, err := j.retention.everyStream(t.Context()); err != nil || f.events != 0 {
		t.Errorf("deleted %+v, %v", f, err)
	}
}

// Metadata that came after the look is respected.
func TestNothingIsDeletedUnderAnOldPolicy(t *testing.T) {
	t.Parallel()
	j := open(t, t.TempDir(), Options{pace: hurried()})
	appendMany(t, j, "s", 10)
	describe(t, j, "s", `{"$maxCount":1}`)
	leaveTail(j)
	d, err := j.deletable("s", 0, 100, false)
	if err != nil || d.events != 9 {
		t.Fatalf("%+v, %v", d, err)
	}
	describe(t, j, "s", `{}`)
	if err := j.carryOut("s", d); err != nil || !d.refused {
		t.Errorf("refused %v, %v", d.refused, err)
	}
	if got := revisions(t, j, "s"); len(got) != 10 {
		t.Errorf("%v are left", got)
	}
}

// Age counts once the clock has run steadily for an hour. A clock that is set
// wrong, and right again, deletes nothing.
func TestMaxAgeDeletesOnlyByASteadyClock(t *testing.T) {
	t.Parallel()
	wall, elapsed := time.Date(2026, 3, 14, 9, 0, 0, 0, time.UTC), time.Duration(0)
	pass := func(d time.Duration) { wall, elapsed = wall.Add(d), elapsed+d }
	j := open(t, t.TempDir(), Options{
		pace: hurried(), Now: func() time.Time { return wall }, elapsed: func() time.Duration { return elapsed },
	})
	appendMany(t, j, "other", 1)
	appendMany(t, j, "s", 5)
	pass(30 * 24 * time.Hour)
	appendMany(t, j, "s", 5)
	appendMany(t, j, "kept", 5)
	describe(t, j, "s", `{"$maxAge":864000}`)
	expect := func(when string, want int) {
		t.Helper()
		if f := retain(t, j); f.events != want {
			t.Errorf("%s: %d events were deleted, want %d", when, f.events, want)
		}
	}
	expect("at the start", 0)
	wall = wall.Add(20 * 365 * 24 * time.Hour)
	expect("when the clock has jumped", 0)
	pass(59 * time.Minute)
	expect("not long enough after", 0)
	wall = wall.Add(-20 * 365 * 24 * time.Hour)
	pass(time.Minute)
	expect("when it was set right", 0)
	pass(30 * time.Minute)
	expect("half an hour later", 0)
	pass(30 * time.Minute)
	expect("an hour later", 5)
	for range 24 * 11 {
		pass(time.Hour)
		j.retention.clock.observe()
	}
	expect("when all are too old, but for the last", 4)
	if got := inAll(t, j); !slices.Contains(got, "9@s") || slices.Contains(got, "8@s") || !slices.Contains(got, "0@kept") {
		t.Errorf("left are %v", got)
	}
}

// A change of metadata is acted upon without being asked.
func TestRetentionWakesUpByItself(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	appendMany(t, j, "s", 40)
	if err := j.Close(); err != nil { // which empties the tail
		t.Fatal(err)
	}
	p := hurried()
	p.settle = 0
	j = open(t, dir, Options{pace: p})
	describe(t, j, "s", `{"$maxCount":2}`)
	until(t, func() bool { return len(inAll(t, j)) == 4 }) // one is the log's first
}

func until(t *testing.T, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !done() {
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatal("it does not happen")
		}
	}
}

// What is deleted leaves the disk: also where it lay among events that stay, so
// that files with both are written anew.
func TestRetentionGivesSpaceBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	young := time.Duration(0)
	j := open(t, dir, Options{pace: hurried(), rewriteAge: &young})
	data := make([]byte, 16<<10)
	for i := range 600 {
		if _, err := rand.Read(data); err != nil {
			t.Fatal(err)
		}
		stream := "passing"
		if i%5 == 0 {
			stream = "quote-1"
		}
		e := event("E")
		e.JSON, e.Data = false, slices.Clone(data)
		mustAppend(t, j, stream, Any, e)
	}
	if err := j.db.Flush(); err != nil {
		t.Fatal(err)
	}
	before := blobBytes(t, dir)
	describe(t, j, "passing", `{"$maxCount":1}`)
	f := retain(t, j)
	if f.events < 450 || f.bytes < before/2 {
		t.Fatalf("deleted %+v of %d bytes", f, before)
	}
	until(t, func() bool { return blobBytes(t, dir) < before/3 })
	if got := revisions(t, j, "quote-1"); len(got) != 120 {
		t.Errorf("%d events of the business are left", len(got))
	}
}

func blobBytes(t *testing.T, dir string) (total uint64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".blob") {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) { // gone in between
			return nil
		}
		if err == nil {
			total += uint64(info.Size())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return total
}
