package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"portal.example/eventstore"
	"portal.example/eventstore/node"
)

// A portal's log is backed up beside it and restored. What was built from later
// events refuses to run on it and says what to do; once that is done, everything
// is as it was when the backup was taken.
func TestReadModelsAheadOfARestoredLogRefuseToRun(t *testing.T) {
	t.Parallel()
	s := newSite(t, watched(), migratedDatabase(t))
	folder, data, restored := filepath.Join(t.TempDir(), "backup"), t.TempDir(), filepath.Join(t.TempDir(), "data")
	s.env = append(s.env, "PORTAL_DATA="+data)
	portal, url := s.serve()
	s.open()
	p := s.at(url)
	ann := p.post("/customers", s.owner, `{"name":"Ann"}`).must(201)
	p.get("/timeline", s.owner, ann).must(200)

	taken := tellJSON[backupTold](t, s.program, s.env, "backup", folder)
	if all := tellJSON[logStats](t, s.program, s.env, "events", "stats"); taken.Events != all.Events || taken.Position != all.Position {
		t.Errorf("backed up %+v of %+v", taken, all)
	}
	ben := p.post("/customers", s.owner, `{"name":"Ben"}`).must(201)
	p.get("/timeline", s.owner, ben).must(200) // the read models are ahead of the backup now
	portal.stop()

	s.env = append(s.env, "PORTAL_DATA="+restored) // the last one counts
	taken.SameFileSystem = nil                     // which only backups tell
	if again := tellJSON[backupTold](t, s.program, s.env, "restore", folder); !cmp.Equal(again, taken) {
		t.Errorf("restored %+v of %+v", again, taken)
	}
	refusing := s.program.start(t, s.env, "serve")
	select {
	case <-refusing.ended:
	case <-time.After(time.Minute):
		t.Fatal("it runs on a log that lacks what the read models were built from")
	}
	said := refusing.said.tail(1)
	if status := refusing.command.ProcessState.ExitCode(); status != exitFailed ||
		!strings.Contains(said, "the log does not contain what was read of it before") || !strings.Contains(said, "drop the read models") {
		t.Errorf("exit status %d, said %q", status, said)
	}

	s.dropBuilds()
	_, url = s.serve()
	p = s.at(url)
	cid := p.post("/customers", s.owner, `{"name":"Cid"}`).must(201)
	timeline := p.get("/timeline", s.owner, cid).must(200).text
	if !strings.Contains(timeline, "Ann") || !strings.Contains(timeline, "Cid") || strings.Contains(timeline, "Ben") {
		t.Errorf("the timeline after the restore: %s", timeline)
	}
}

// largeLog is a data folder whose node serves some megabytes of events.
func largeLog(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	n, err := node.Start(t.Context(), node.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	client, err := eventstore.Connect(eventstore.Config{ConnectionString: n.ConnectionString()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for range 20 {
		var events []eventstore.Proposed
		for range 900 {
			events = append(events, eventstore.Proposed{ID: uuid.New(), Type: "Noted", Data: []byte(`{"text":"` + strings.Repeat("x", 1000) + `"}`)})
		}
		if _, err := client.Append(t.Context(), "s-1", eventstore.Any(), events...); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A backup that is killed, wherever it is, leaves nothing that could pass for
// one, and does not stand in the way of the next.
func TestAKilledBackupIsNone(t *testing.T) {
	t.Parallel()
	data := largeLog(t)
	env := []string{"PORTAL_DATA=" + data}
	refused := 0
	for round, reached := range []string{".", "log", "log/*", "log/*.blob", "log/LOCK", "log/LOCK"} {
		folder := filepath.Join(t.TempDir(), "backup")
		taking := watched().start(t, env, "backup", folder)
		again := time.NewTicker(100 * time.Microsecond)
		for found := false; !found; {
			select {
			case <-again.C:
			case <-taking.ended:
				t.Fatalf("round %d: it ended before it was killed: %s", round, taking.said.text())
			}
			paths, err := filepath.Glob(filepath.Join(folder, reached))
			found = err == nil && len(paths) > 0
		}
		again.Stop()
		taking.kill()
		_, err := os.Stat(filepath.Join(folder, "backup.json"))
		finished := err == nil
		restored := filepath.Join(t.TempDir(), "data")
		status, said := tryIn(t, []string{"PORTAL_DATA=" + restored}, "restore", folder)
		if finished != (status == exitOK) {
			t.Errorf("round %d: finished %v, and restoring gives status %d: %s", round, finished, status, said)
		}
		if !finished {
			refused++
			if !strings.Contains(said, "backup.json is missing") {
				t.Errorf("round %d: said %q", round, said)
			}
		}
	}
	if refused < 3 {
		t.Errorf("%d backups were killed before they were finished: the test kills too late", refused)
	}
	folder := filepath.Join(t.TempDir(), "backup")
	var status int
	var said string
	eventually(t, func() bool { // the node learns of the last one's end in its own time
		status, said = tryIn(t, env, "backup", folder)
		return status == exitOK || !strings.Contains(said, "under way")
	})
	if status != exitOK {
		t.Fatalf("the next one: %s", said)
	}
	if status, said := tryIn(t, []string{"PORTAL_DATA=" + filepath.Join(t.TempDir(), "data")}, "restore", folder); status != exitOK {
		t.Errorf("restoring it: %s", said)
	}
}

func eventually(t *testing.T, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !done() {
		if ctx.Err() != nil {
			t.Fatal("it does not happen")
		}
	}
}

// tryIn runs a subcommand as a process and returns its exit status and all that
// it said.
func tryIn(t *testing.T, env []string, args ...string) (status int, said string) {
	t.Helper()
	p := watched().start(t, env, args...)
	<-p.ended
	return p.command.ProcessState.ExitCode(), p.said.text()
}

// A killed restore leaves no log behind, and the next one begins anew.
func TestAKilledRestoreIsNone(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "backup")
	if status, said := tryIn(t, []string{"PORTAL_DATA=" + largeLog(t)}, "backup", folder); status != exitOK {
		t.Fatal(said)
	}
	data := filepath.Join(t.TempDir(), "data")
	env := []string{"PORTAL_DATA=" + data}
	restoring := watched().start(t, env, "restore", folder)
	eventually(t, func() bool {
		paths, err := filepath.Glob(filepath.Join(data, "restoring", "*"))
		return err == nil && len(paths) > 0
	})
	restoring.kill()
	if _, err := os.Stat(filepath.Join(data, "log")); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("there is a log: %v", err)
	}
	if status, said := tryIn(t, env, "restore", folder); status != exitOK {
		t.Errorf("the next one: %s", said)
	}
}

// With nobody serving the log, the subcommand opens it itself. What it will not
// do, it says in one line.
func TestBackupFromTheCommandLine(t *testing.T) {
	data, folder := t.TempDir(), filepath.Join(t.TempDir(), "backup")
	n, err := node.Start(t.Context(), node.Config{Dir: data})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PORTAL_DATA", data)
	t.Setenv("PORTAL_EVENTSTORE", "")
	tell := func(status int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if got := run(t.Context(), args, &out, &errs); got != status {
			t.Fatalf("%v: exit status %d, %s", args, got, errs.String())
		}
		said := strings.TrimSpace(out.String() + errs.String())
		if strings.Contains(said, "\n") {
			t.Errorf("%v: said %q", args, said)
		}
		return said
	}
	var told map[string]any
	if err := json.Unmarshal([]byte(tell(exitOK, "backup", folder, "--json")), &told); err != nil || told["events"] != 0.0 || told["logId"] != nil {
		t.Errorf("told %v, %v", told, err)
	}
	fresh, served := filepath.Join(t.TempDir(), "data"), t.TempDir()
	if n, err = node.Start(t.Context(), node.Config{Dir: served}); err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	move := func(from, to string) {
		if err := os.Rename(filepath.Join(served, from), filepath.Join(served, to)); err != nil {
			t.Fatal(err)
		}
	}
	move("log", "moved away")
	defer move("moved away", "log") // before the node closes
	for _, c := range []struct {
		status int
		want   string
		data   string
		args   []string
	}{
		{exitMisused, "DIR", data, []string{"backup", folder}}, // which has something in it now
		{exitMisused, "DIR", data, []string{"backup", filepath.Join(data, "checkpoint", "mine")}},
		{exitMisused, "PORTAL_DATA", fresh, []string{"backup", "x"}},
		{exitMisused, "PORTAL_DATA", t.TempDir(), []string{"backup", "x"}}, // it holds no log
		{exitMisused, "by the node at", served, []string{"restore", folder}},
		{exitMisused, "PORTAL_DATA", data, []string{"restore", folder}},
		{exitFailed, "backup.json", fresh, []string{"restore", t.TempDir()}},
		{exitFailed, "backup.json", fresh, []string{"restore", "nowhere"}},
		{exitMisused, "argument", data, []string{"backup"}},
		{exitMisused, "argument", fresh, []string{"restore", "a", "b"}},
		{exitMisused, "--frob", data, []string{"backup", "a", "--frob"}},
	} {
		t.Setenv("PORTAL_DATA", c.data)
		if said := tell(c.status, c.args...); !strings.Contains(said, c.want) {
			t.Errorf("%v: said %q", c.args, said)
		}
	}
	t.Setenv("PORTAL_EVENTSTORE", "esdb://127.0.0.1:2113?tls=false")
	for _, command := range []string{"backup", "restore"} {
		if said := tell(exitMisused, command, "x"); !strings.Contains(said, "PORTAL_EVENTSTORE") || !strings.Contains(said, "EventStoreDB's own backup") {
			t.Errorf("%s: said %q", command, said)
		}
	}
}
