package main

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The whole of it at a size that proves nothing: the figures are not looked at,
// but the rows have been compared, and a difference would have broken a side.
func TestAPortalReplaysUnderLoad(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	lab, err := newLab(ctx, Options{Runs: 1, Window: 500 * time.Millisecond, Replay: minReplay}, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lab.Close(); err != nil {
			t.Error(err)
		}
	})
	lab.program = func() (string, error) { // built as other tests build it, so that they share the work
		path := filepath.Join(lab.dir, "portal")
		return path, exec.CommandContext(ctx, "go", "build", "-o", path, "portal.example/cmd/portal").Run()
	}
	log := &replayLog{lab: lab, name: "replay", events: 2 * minReplay} // more than the business has, so that there are clones
	for name, side := range map[string]*Side{"idle": {Measure: log.idle}, "replaying": {Measure: log.replaying}, "alone": {Measure: log.alone}} {
		sample, err := side.Measure(ctx)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if (sample[P99] <= 0) != (name == "alone") || (sample[Memory] <= 0) != (name != "replaying") {
			t.Errorf("%s: %v", name, sample)
		}
		if name != "idle" && (sample[TimelineReplay] <= 0 || sample[InvoicesReplay] <= 0) {
			t.Errorf("%s: %v", name, sample)
		}
	}
	var businesses int
	if err := log.pool.QueryRow(ctx, `SELECT count(*) FROM read.businesses`).Scan(&businesses); err != nil || businesses < 3 {
		t.Errorf("%d businesses, error %v; want the original, clones, and the one of the load", businesses, err)
	}
	differs(ctx, t, log)
}

// differs has the comparison meet a row that the replay did not make.
func differs(ctx context.Context, t *testing.T, log *replayLog) {
	t.Helper()
	_, stop, err := log.serve(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := log.replay(ctx, replayed()[InvoicesReplay]); err != nil {
		t.Fatal(err)
	}
	var schema string
	err = log.pool.QueryRow(ctx, `SELECT schema FROM runner.builds WHERE projection = 'invoices' AND state = 'live'`).Scan(&schema)
	_, tampered := log.pool.Exec(ctx, `UPDATE `+schema+`.invoices SET status = 'lost' WHERE invoice_id = (SELECT min(invoice_id) FROM `+schema+`.invoices)`)
	if err := errors.Join(err, tampered); err != nil {
		t.Fatal(err)
	}
	if err := log.same(ctx, "invoices"); err == nil || !strings.Contains(err.Error(), "not those of before") {
		t.Errorf("a row was changed, and the comparison says %v", err)
	}
}
