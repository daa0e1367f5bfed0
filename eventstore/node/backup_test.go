package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/go-cmp/cmp"

	"portal.example/eventstore"
	"portal.example/eventstore/node"
)

func quietly(node.Step, uint64, uint64) {}

// backupLoad is how much is written while a backup is taken: for as long as
// that takes, and at least so long. PORTAL_SOAK_BACKUP makes it longer, such as
// 1m, and then a rate is demanded.
func backupLoad(t *testing.T) (least time.Duration, rate float64) {
	t.Helper()
	text := os.Getenv("PORTAL_SOAK_BACKUP")
	if text == "" {
		return 0, 0
	}
	least, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("PORTAL_SOAK_BACKUP: %v", err)
	}
	rate = 5000
	if text := os.Getenv("PORTAL_SOAK_BACKUP_RATE"); text != "" {
		if rate, err = strconv.ParseFloat(text, 64); err != nil {
			t.Fatalf("PORTAL_SOAK_BACKUP_RATE: %v", err)
		}
	}
	return least, rate
}

// A backup taken while 32 writers append, restored, is event by event the log up
// to its position, and has all that was acknowledged before it began.
func TestABackupUnderLoadIsTheLogUpToItsPosition(t *testing.T) {
	t.Parallel()
	least, rate := backupLoad(t)
	dir := t.TempDir()
	n := start(t, node.Config{Dir: dir})
	var appended, acknowledged atomic.Uint64 // events; the highest position
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var writers sync.WaitGroup
	for w := range 32 {
		client := connect(t, n.ConnectionString())
		writers.Go(func() {
			data := []byte(`{"text":"` + strings.Repeat("x", 300) + `"}`)
			for i := 0; ctx.Err() == nil; i++ {
				e := proposed("Noted")
				e.Data = data
				r, err := client.AppendToStream(ctx, fmt.Sprintf("s-%d-%d", w, i/10), esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, e)
				if ctx.Err() != nil {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				appended.Add(1)
				for before := acknowledged.Load(); before < r.CommitPosition && !acknowledged.CompareAndSwap(before, r.CommitPosition); {
					before = acknowledged.Load()
				}
			}
		})
	}
	awaiting(t, "some history", func() bool { return appended.Load() > 2000 })

	var during uint64 // appended while backups were taken
	var took time.Duration
	rounds := 0
	for began := time.Now(); rounds == 0 || time.Since(began) < least; rounds++ {
		from, before := time.Now(), appended.Load()
		known := acknowledged.Load()
		to := filepath.Join(t.TempDir(), "backup")
		b, err := node.TakeBackup(t.Context(), n.Access(), dir, to, quietly)
		if err != nil {
			t.Fatal(err)
		}
		if at, err := eventstore.ParsePosition(b.Position); err != nil || at.Commit < known {
			t.Errorf("the backup ends at %s, %d had been acknowledged: %v", b.Position, known, err)
		}
		during, took = during+appended.Load()-before, took+time.Since(from)
		if least == 0 { // comparing need not take longer than it does
			stop()
			writers.Wait()
		}
		restored := filepath.Join(t.TempDir(), "restored")
		if _, err := node.Restore(t.Context(), to, restored, quietly); err != nil {
			t.Fatal(err)
		}
		again := start(t, node.Config{Dir: restored})
		compareLogs(t, n, again, b)
		must(t, again.Close())
		must(t, errors.Join(os.RemoveAll(restored), os.RemoveAll(to))) // many of them in a long run
	}
	stop()
	writers.Wait()
	got := float64(during) / took.Seconds()
	t.Logf("%d backups in %v, while %d events were appended, %.0f a second", rounds, took, during, got)
	if during == 0 || got < rate {
		t.Errorf("%.0f appends a second, want %.0f", got, rate)
	}
	awaiting(t, "the checkpoint to go", func() bool {
		_, err := os.Stat(filepath.Join(dir, "checkpoint"))
		return errors.Is(err, fs.ErrNotExist)
	})
}

// compareLogs compares the restored log with the original, event by event.
func compareLogs(t *testing.T, original, restored *node.Node, b *node.Backup) {
	t.Helper()
	end, err := eventstore.ParsePosition(b.Position)
	if err != nil {
		t.Fatal(err)
	}
	want, got := following(t, original), following(t, restored)
	compared := uint64(0)
	for last := uint64(0); last < end.Commit; compared++ {
		one, other := want(), got()
		if !reflect.DeepEqual(one, other) { // which takes a fraction of the time that cmp does
			t.Fatalf("after position %d:\n%s", last, cmp.Diff(one, other))
		}
		last = one.Position.Commit
	}
	if compared != b.Events {
		t.Errorf("%d events up to %s, the backup says %d", compared, b.Position, b.Events)
	}
	client := connect(t, restored.ConnectionString())
	r, err := client.AppendToStream(t.Context(), "after", esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}, proposed("A"))
	if err != nil || r.CommitPosition != end.Commit+2 { // after the note of the restore
		t.Errorf("appended to the restored log: %+v, %v", r, err)
	}
	if types := typesOf(t, client, eventstore.RestoresStream); len(types) != 1 || types[0] != "$restored" {
		t.Errorf("of the restore is noted %v", types)
	}
}

// following returns the node's events one after the other.
func following(t *testing.T, n *node.Node) func() eventstore.Recorded {
	t.Helper()
	reader := n.Follow(eventstore.SubscribeOptions{})
	var read []eventstore.Notice
	return func() (next eventstore.Recorded) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		for {
			for i := range read {
				if read[i].Kind == eventstore.EventAppeared {
					next, read = read[i].Event, read[i+1:]
					return next
				}
			}
			var err error
			if read, err = reader.NextBatch(ctx, 1000); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// smallBackup is a backup of a few events.
func smallBackup(t *testing.T) (folder string, b *node.Backup) {
	t.Helper()
	dir := t.TempDir()
	n := start(t, node.Config{Dir: dir})
	client := connect(t, n.ConnectionString())
	for i := range 50 {
		e := proposed("Noted")
		e.Data = fmt.Appendf(nil, `{"n":%d,"text":"%s"}`, i, strings.Repeat("x", 100))
		if _, err := client.AppendToStream(t.Context(), "s-1", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, e); err != nil {
			t.Fatal(err)
		}
	}
	folder = filepath.Join(t.TempDir(), "backup")
	b, err := node.TakeBackup(t.Context(), n.Access(), dir, folder, quietly)
	if err != nil {
		t.Fatal(err)
	}
	return folder, b
}

func TestABackupIsItsOwnersAlone(t *testing.T) {
	t.Parallel()
	folder, _ := smallBackup(t)
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// No damage to a backup passes: of a file, of what it says of itself, or that
// something is missing. Nothing is left in the data folder then.
func TestADamagedBackupIsRefused(t *testing.T) {
	t.Parallel()
	good, b := smallBackup(t)
	if b.Events != 50 || b.LogID == nil || len(b.Files) == 0 {
		t.Fatalf("%+v", b)
	}
	damage := map[string]func(t *testing.T, dir string){
		"unfinished": func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, "backup.json"))) },
		"cut manifest": func(t *testing.T, dir string) {
			must(t, os.Truncate(filepath.Join(dir, "backup.json"), 40))
		},
		"another format": func(t *testing.T, dir string) { edit(t, dir, func(b *node.Backup) { b.Format = 2 }) },
		"more events":    func(t *testing.T, dir string) { edit(t, dir, func(b *node.Backup) { b.Events++ }) },
		"another end":    func(t *testing.T, dir string) { edit(t, dir, func(b *node.Backup) { b.Position = "zz" }) },
		"another log":    func(t *testing.T, dir string) { edit(t, dir, func(b *node.Backup) { b.LogID[3]++ }) },
		"a way out":      func(t *testing.T, dir string) { edit(t, dir, func(b *node.Backup) { b.Files[0].Name = "../x" }) },
		"a file fewer":   func(t *testing.T, dir string) { edit(t, dir, func(b *node.Backup) { b.Files = b.Files[:1] }) },
	}
	for _, f := range b.Files {
		path := filepath.Join("log", f.Name)
		damage["missing "+f.Name] = func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, path))) }
		if f.Bytes > 0 {
			damage["flipped "+f.Name] = func(t *testing.T, dir string) {
				text, err := os.ReadFile(filepath.Join(dir, path))
				must(t, err)
				text[len(text)/2] ^= 8
				must(t, os.WriteFile(filepath.Join(dir, path), text, 0o600))
			}
		}
	}
	for name, do := range damage {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, data := t.TempDir(), filepath.Join(t.TempDir(), "data")
			must(t, os.CopyFS(dir, os.DirFS(good)))
			do(t, dir)
			if _, err := node.Restore(t.Context(), dir, data, quietly); err == nil {
				t.Error("it was restored")
			}
			if left, _ := filepath.Glob(filepath.Join(data, "*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	data := filepath.Join(t.TempDir(), "data")
	if _, err := node.Restore(t.Context(), good, data, quietly); err != nil {
		t.Errorf("the good one: %v", err)
	}
	if _, err := node.Restore(t.Context(), good, data, quietly); !errors.Is(err, node.ErrNotEmpty) {
		t.Errorf("over another log: %v", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func edit(t *testing.T, dir string, change func(*node.Backup)) {
	t.Helper()
	path := filepath.Join(dir, "backup.json")
	text, err := os.ReadFile(path)
	must(t, err)
	var b node.Backup
	must(t, json.Unmarshal(text, &b))
	change(&b)
	text, err = json.Marshal(&b)
	must(t, err)
	must(t, os.WriteFile(path, text, 0o600))
}

func TestWhoMayTakeABackupAndWhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "checkpoint"), 0o700)) // as a killed node leaves it
	n := start(t, node.Config{Dir: dir})
	if _, err := os.Stat(filepath.Join(dir, "checkpoint")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what a killed node has left is there: %v", err)
	}
	for name, change := range map[string]func(*node.Access){
		"the application": func(a *node.Access) { a.AdminUser, a.AdminPassword = a.User, a.Password },
		"a stranger":      func(a *node.Access) { a.AdminPassword = "guess" },
	} {
		access := n.Access()
		change(&access)
		if _, err := node.TakeBackup(t.Context(), access, dir, filepath.Join(t.TempDir(), "b"), quietly); err == nil {
			t.Errorf("%s took a backup", name)
		}
	}
	full := t.TempDir()
	must(t, os.WriteFile(filepath.Join(full, "x"), nil, 0o600))
	if _, err := node.TakeBackup(t.Context(), n.Access(), dir, full, quietly); !errors.Is(err, node.ErrNotEmpty) {
		t.Errorf("into a folder with something in it: %v", err)
	}
	// One at a time; the next once that is done.
	_, err := node.TakeBackup(t.Context(), n.Access(), dir, filepath.Join(t.TempDir(), "b"), func(node.Step, uint64, uint64) {
		_, err := node.TakeBackup(t.Context(), n.Access(), dir, filepath.Join(t.TempDir(), "b"), quietly)
		if err == nil || !strings.Contains(err.Error(), "under way") {
			t.Errorf("a second one at the same time: %v", err)
		}
	})
	if err != nil { // of a log without events, too
		t.Error(err)
	}
	awaiting(t, "another", func() bool {
		_, err := node.TakeBackup(t.Context(), n.Access(), dir, filepath.Join(t.TempDir(), "b"), quietly)
		return err == nil
	})
}
