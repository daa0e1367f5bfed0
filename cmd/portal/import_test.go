package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portal.example/eventstore"
	"portal.example/eventstore/node"
	"portal.example/internal/importing"
)

const history = `case,seq,activity,date,amount_cents,expense_cents,paid_cents
X1,0,Create Fine,2020-01-31,3000,,
X1,1,Payment,2020-02-03,,,5000
X2,0,Create Fine,2020-01-31,4000,,
X2,1,Payment,2020-02-04,,,0
X2,2,Send Fine,2020-03-01,,700,
`

func TestImportingTwice(t *testing.T) {
	dir := t.TempDir()
	database := migratedDatabase(t)
	business := imports(t, dir, database)
	file := filepath.Join(t.TempDir(), "old.csv")
	if err := os.WriteFile(file, []byte(history), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"import", "fines", file, "--business", business, "--json"}

	first, said := runImport(t, args)
	if want := (importing.Summary{Read: 5, Imported: 4, Refused: 1, Events: 17}); first != want {
		t.Errorf("the first run did %+v, want %+v", first, want)
	}
	kept := filepath.Join(dir, "imports", "old.csv.refused.csv")
	for _, want := range []string{"line 5 refused: amount: must be more than zero", kept} {
		if !strings.Contains(said, want) {
			t.Errorf("said %q, without %q", said, want)
		}
	}
	got, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	const refused = "line,reason,case,seq,activity,date,amount_cents,expense_cents,paid_cents\n" +
		"5,amount: must be more than zero,X2,1,Payment,2020-02-04,,,0\n"
	if string(got) != refused {
		t.Errorf("kept %q, want %q", got, refused)
	}
	if second, _ := runImport(t, args); second != (importing.Summary{Read: 5, Imported: 4, Refused: 1}) {
		t.Errorf("the second run did %+v", second)
	}
}

func TestImportRefusesOtherFiles(t *testing.T) {
	dir := t.TempDir()
	business := imports(t, dir, migratedDatabase(t))
	before := stats(t, dir).Events
	folder := t.TempDir()
	for name, content := range map[string]string{
		"header":   strings.Replace(history, "paid_cents", "paid", 1),
		"columns":  history + "X3,0,Create Fine,2020-01-31,3000\n",
		"encoding": history + "X\xff,0,Create Fine,2020-01-31,3000,,\n",
		"gzip":     "\x1f\x8b\x08\x00 no more of it",
		"empty":    "",
	} {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		status := run(t.Context(), []string{"import", "fines", path, "--business", business}, &out, &errs)
		if status != exitFailed || !strings.Contains(errs.String(), "nothing of it was imported") {
			t.Errorf("%s: exit status %d, said %q", name, status, errs.String())
		}
	}
	if after := stats(t, dir).Events; after != before {
		t.Errorf("%d events were recorded", after-before)
	}
}

func TestImportMisused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"import"},
		{"import", "fines"},
		{"import", "speeches", "x.csv", "--business", "b"},
		{"import", "fines", "there is no such file", "--business", "b"},
	} {
		var out, errs bytes.Buffer
		if status := run(t.Context(), args, &out, &errs); status != exitMisused {
			t.Errorf("%v: exit status %d, said %q", args, status, errs.String())
		}
	}
}

// An import that was killed goes on where it ended: together they leave what
// one import leaves that was let be.
func TestImportGoesOnAfterAKill(t *testing.T) {
	file := filepath.Join(t.TempDir(), "long.csv")
	if err := os.WriteFile(file, []byte(longHistory(150)), 0o600); err != nil {
		t.Fatal(err)
	}
	database := migratedDatabase(t)
	undisturbed := t.TempDir()
	business := imports(t, undisturbed, database)
	whole, _ := runImport(t, []string{"import", "fines", file, "--business", business, "--json"})
	want := stats(t, undisturbed)

	dir := t.TempDir()
	business = imports(t, dir, migratedDatabase(t))
	args := []string{"import", "fines", file, "--business", business, "--json"}
	killImport(t, dir, args, want.Events/3)
	half := stats(t, dir)
	if half.Events >= want.Events {
		t.Fatal("the import was over before it could be killed")
	}
	rest, _ := runImport(t, args)
	if rest.Imported != whole.Imported || uint64(rest.Events) != want.Events-half.Events {
		t.Errorf("going on did %+v after %d events of %d", rest, half.Events, want.Events)
	}
	got := stats(t, dir)
	for i, item := range want.Items {
		if got.Items[i].Type != item.Type || got.Items[i].Events != item.Events {
			t.Errorf("%+v, want %+v", got.Items[i], item)
		}
	}
}

func longHistory(cases int) string {
	var b strings.Builder
	b.WriteString("case,seq,activity,date,amount_cents,expense_cents,paid_cents\n")
	for i := range cases {
		fmt.Fprintf(&b, "L%d,0,Create Fine,2020-01-31,3000,,\nL%d,1,Send Fine,2020-02-10,,900,\nL%d,2,Payment,2020-02-20,,,4000\n", i, i, i)
	}
	return b.String()
}

// killImport kills an import once the log has so many events.
func killImport(t *testing.T, dir string, args []string, events uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	n, err := node.Start(ctx, node.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	client, err := eventstore.Connect(eventstore.Config{ConnectionString: n.ConnectionString()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	sub := client.Subscribe(ctx, eventstore.SubscribeOptions{})
	defer sub.Close()

	program := exec.CommandContext(ctx, os.Args[0], args...) //nolint:gosec // the test binary itself
	program.Env = append(os.Environ(), asProgram+"=1")
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	for seen := uint64(0); seen < events; {
		notices, err := sub.NextBatch(ctx, 100)
		if err != nil {
			t.Fatal(err)
		}
		seen += uint64(len(notices))
	}
	if err := program.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := program.Wait(); err == nil {
		t.Fatal("the import ended by itself")
	}
}

// imports sets the environment up for a portal in dir, and gives it a business.
func imports(t *testing.T, dir, database string) (business string) {
	t.Helper()
	t.Setenv("PORTAL_DATA", dir)
	t.Setenv("PORTAL_EVENTSTORE", "")
	t.Setenv("DATABASE_URL", database)
	t.Setenv("PORTAL_MASTER_KEY", "")
	var out, errs bytes.Buffer
	args := []string{
		"business", "create", "--slug", "old", "--name", "Old", "--currency", "EUR", "--timezone", "Europe/Rome",
	}
	if status := run(t.Context(), args, &out, &errs); status != exitOK {
		t.Fatalf("exit status %d: %s", status, errs.String())
	}
	return "old"
}

// runImport returns the last line of an import's output, and what it told
// people.
func runImport(t *testing.T, args []string) (importing.Summary, string) {
	t.Helper()
	var out, errs bytes.Buffer
	if status := run(t.Context(), args, &out, &errs); status != exitOK {
		t.Fatalf("exit status %d: %s", status, errs.String())
	}
	var s importing.Summary
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		t.Fatalf("%q: %v", out.String(), err)
	}
	return s, errs.String()
}
