package node_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"portal.example/eventstore/node"
)

func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// A backup that fails, at whatever step, removes what it wrote and no more.
func TestAFailedBackupLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := start(t, node.Config{Dir: dir})
	client := connect(t, n.ConnectionString())
	_, err := client.AppendToStream(t.Context(), "s-1", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, proposed("Noted"))
	must(t, err)
	for _, step := range []node.Step{node.Copying, node.Reading} {
		fail := func(to string, meanwhile func()) (err error) {
			awaiting(t, "the one before to be over", func() bool {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				_, err = node.TakeBackup(ctx, n.Access(), dir, to, func(at node.Step, _, _ uint64) {
					if at != step || ctx.Err() != nil {
						return
					}
					meanwhile()
					cancel()
					if step == node.Reading { // which may be over before it looks whether it is to go on
						_ = os.Remove(filepath.Join(to, "log", "LOCK")) // and it removes that itself
					}
				})
				return err == nil || !strings.Contains(err.Error(), "under way")
			})
			return err
		}
		made, given, shared := filepath.Join(t.TempDir(), "made"), t.TempDir(), filepath.Join(t.TempDir(), "shared")
		if err := fail(made, func() {}); err == nil {
			t.Fatalf("%s: it did not fail", step)
		}
		if _, err := os.Stat(made); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the folder that it made has %v: %v", step, names(t, made), err)
		}
		if err := fail(given, func() {}); err == nil || names(t, given) != nil {
			t.Errorf("%s: the folder that it was given has %v: %v", step, names(t, given), err)
		}
		if _, err := os.Stat(given); err != nil {
			t.Errorf("%s: it has removed a folder that it did not make", step)
		}
		err := fail(shared, func() { must(t, os.WriteFile(filepath.Join(shared, "mine"), nil, 0o600)) })
		if left := names(t, shared); err == nil || len(left) != 1 || left[0] != "mine" {
			t.Errorf("%s: of a folder that somebody else uses, left is %v: %v", step, left, err)
		}
	}
	parent := filepath.Join(t.TempDir(), "not mounted")
	if _, err := node.TakeBackup(t.Context(), n.Access(), dir, filepath.Join(parent, "b"), quietly); !errors.Is(err, node.ErrNoFolder) {
		t.Errorf("into nowhere: %v", err)
	}
	if _, err := os.Stat(parent); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it has made a folder that was missing: %v", err)
	}
}

// One restore at a time; a node that is started meanwhile leaves it alone, and the
// restore finds that there is a log.
func TestTwoRestoresAtOnce(t *testing.T) {
	t.Parallel()
	dir, backup := t.TempDir(), filepath.Join(t.TempDir(), "backup")
	n := start(t, node.Config{Dir: dir})
	_, err := node.TakeBackup(t.Context(), n.Access(), dir, backup, quietly)
	must(t, err)

	data, asked := filepath.Join(t.TempDir(), "data"), false
	_, err = node.Restore(t.Context(), backup, data, func(node.Step, uint64, uint64) {
		if asked {
			return
		}
		asked = true
		if _, err := node.Restore(t.Context(), backup, data, quietly); !errors.Is(err, node.ErrServed) {
			t.Errorf("a second one at the same time: %v", err)
		}
	})
	if err != nil || !asked {
		t.Errorf("asked %v; the first one: %v", asked, err)
	}

	data, asked = filepath.Join(t.TempDir(), "data"), false
	_, err = node.Restore(t.Context(), backup, data, func(node.Step, uint64, uint64) {
		if asked {
			return
		}
		asked = true
		start(t, node.Config{Dir: data})
		if len(names(t, filepath.Join(data, "restoring"))) == 0 {
			t.Error("the node has taken away what is being restored")
		}
	})
	if err == nil || !asked {
		t.Errorf("asked %v; a restore over a log: %v", asked, err)
	}
}

// What a restore has left that was killed is gone once a node serves the folder.
func TestAKilledRestoreLeavesNoSpaceTaken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	staged := filepath.Join(dir, "restoring")
	must(t, os.MkdirAll(staged, 0o700))
	must(t, os.WriteFile(filepath.Join(staged, "000004.blob"), []byte("x"), 0o600))
	start(t, node.Config{Dir: dir})
	if _, err := os.Stat(staged); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is there: %v", err)
	}
}
