package exporting_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"portal.example/internal/exporting"
)

var wanted = exporting.Manifest{Dataset: "things", Columns: shape[:2], Scope: map[string]string{"business": "acme"}}

func opened(t *testing.T, dir string, f exporting.Format) *exporting.Folder {
	t.Helper()
	want := wanted
	want.Format = f
	folder, err := exporting.Open(dir, want)
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// things writes rows of the numbers from the one after the folder's key to last.
func things(t *testing.T, folder *exporting.Folder, last int) {
	t.Helper()
	next := 1
	if after := folder.Manifest.After; len(after) > 0 {
		if _, err := fmt.Sscan(after[0], &next); err != nil {
			t.Fatal(err)
		}
		next++
	}
	for n := next; n <= last; n++ {
		if err := folder.Write([]any{fmt.Sprintf("thing %d", n), int64(n)}, []string{fmt.Sprint(n)}); err != nil {
			t.Fatal(err)
		}
	}
}

func closed(t *testing.T, folder *exporting.Folder, complete bool) {
	t.Helper()
	if err := folder.Close(complete); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// An export that is interrupted in order loses nothing, and is told to be of two
// moments.
func TestAnExportGoesOn(t *testing.T) {
	t.Parallel()
	first, second := exporting.Moment{Position: "a", AsOf: time.Unix(1, 0).UTC()}, exporting.Moment{Position: "b", AsOf: time.Unix(2, 0).UTC()}
	for _, f := range exporting.Formats {
		dir := t.TempDir()
		folder := opened(t, dir, f)
		folder.At(first)
		things(t, folder, 10)
		closed(t, folder, false)
		if m := folder.Manifest; m.Rows != 10 || m.Complete || m.After[0] != "10" {
			t.Errorf("%s: %+v", f, m)
		}
		folder = opened(t, dir, f)
		folder.At(second)
		things(t, folder, 25)
		closed(t, folder, true)
		m := opened(t, dir, f).Manifest
		if m.Rows != 25 || !m.Complete || *m.From != first || *m.Until != second {
			t.Errorf("%s: %+v", f, m)
		}
		if f == exporting.Parquet {
			if _, rows := byHyparquet(t, dir, m); len(rows) != 25 || rows[24]["id"] != "thing 25" {
				t.Errorf("%d rows: %v", len(rows), rows)
			}
			continue
		}
		whole := t.TempDir()
		folder = opened(t, whole, f)
		things(t, folder, 25)
		closed(t, folder, true)
		if name := m.Files[0].Name; !bytes.Equal(read(t, dir, name), read(t, whole, name)) {
			t.Errorf("%s: %s", f, read(t, dir, name))
		}
	}
}

// What a crash left behind a checkpoint is exported again, and once.
func TestWhatFollowsACheckpointIsCutOff(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	folder := opened(t, dir, exporting.JSONLines)
	things(t, folder, 3)
	closed(t, folder, false)
	path := filepath.Join(dir, "things.jsonl")
	before := read(t, dir, "things.jsonl")
	if err := os.WriteFile(path, append(before, `{"id":"thing 4","n":4}`+"\n"+`{"id":"thi`...), 0o600); err != nil {
		t.Fatal(err)
	}
	folder = opened(t, dir, exporting.JSONLines)
	things(t, folder, 4)
	closed(t, folder, true)
	if got := string(read(t, dir, "things.jsonl")); strings.Count(got, "\n") != 4 || !strings.HasSuffix(got, `{"id":"thing 4","n":4}`+"\n") {
		t.Errorf("%s", got)
	}
}

func TestAFolderOfSomethingElseIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "things.jsonl"), []byte("Dear Dana,"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := wanted
	want.Format = exporting.JSONLines
	if _, err := exporting.Open(dir, want); err == nil || string(read(t, dir, "things.jsonl")) != "Dear Dana," {
		t.Errorf("took a letter for an export: %v", err)
	}

	dir = t.TempDir()
	folder := opened(t, dir, exporting.CSV)
	things(t, folder, 3)
	if _, err := exporting.Open(dir, want); err == nil || !strings.Contains(err.Error(), "another export") {
		t.Errorf("two exports at once: %v", err)
	}
	closed(t, folder, false)
	for what, change := range map[string]func(*exporting.Manifest){
		"format": func(m *exporting.Manifest) { m.Format = exporting.Parquet },
		"scope":  func(m *exporting.Manifest) { m.Scope = map[string]string{"business": "other"} },
		"less":   func(m *exporting.Manifest) { m.Scope = nil },
		"shape":  func(m *exporting.Manifest) { m.Columns = shape },
	} {
		want := wanted
		want.Format = exporting.CSV
		change(&want)
		if _, err := exporting.Open(dir, want); err == nil {
			t.Errorf("another %s was taken for the same export", what)
		}
	}
	if err := os.Truncate(filepath.Join(dir, "things.csv"), 5); err != nil {
		t.Fatal(err)
	}
	folder = opened(t, dir, exporting.CSV)
	if err := folder.Write([]any{"thing 4", int64(4)}, []string{"4"}); err == nil || !strings.Contains(err.Error(), "changed") {
		t.Errorf("went on in a file that was cut: %v", err)
	}
	closed(t, folder, false)
	if err := os.WriteFile(filepath.Join(dir, "things.manifest.json"), []byte("Dear Dana,"), 0o600); err != nil {
		t.Fatal(err)
	}
	want.Format = exporting.CSV
	if _, err := exporting.Open(dir, want); err == nil || !strings.Contains(err.Error(), "not the manifest") {
		t.Errorf("took a letter for a manifest: %v", err)
	}
}

func TestAnEmptyExportHasFiles(t *testing.T) {
	t.Parallel()
	for _, f := range exporting.Formats {
		dir := t.TempDir()
		closed(t, opened(t, dir, f), true)
		m := opened(t, dir, f).Manifest
		if !m.Complete || len(m.Files) != 1 || m.Rows != 0 {
			t.Fatalf("%s: %+v", f, m)
		}
		if about, err := os.Stat(filepath.Join(dir, m.Files[0].Name)); err != nil || about.Size() != m.Files[0].Bytes || about.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, about, err)
		}
		if f == exporting.Parquet {
			if heads, rows := byHyparquet(t, dir, m); len(heads[0].Columns) != 2 || len(rows) != 0 {
				t.Errorf("%v, %v", heads, rows)
			}
		}
	}
}

func TestAFolderIsFreeOnceItIsClosed(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	var starting sync.WaitGroup
	for range 4 { // each holds copies of all open files for a moment
		starting.Go(func() {
			for ctx.Err() == nil {
				_ = exec.CommandContext(ctx, "true").Run()
			}
		})
	}
	defer starting.Wait()
	defer stop()
	dir := t.TempDir()
	for range 100 {
		closed(t, opened(t, dir, exporting.CSV), true)
	}
}
