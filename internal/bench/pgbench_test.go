package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOnlyTheWindowOfPgbenchsLogCounts(t *testing.T) {
	t.Parallel()
	log := []byte(`0 1 1000 0 100 1000
1 1 2000 0 101 0
0 2 3000 0 101 500000
1 2 4000 0 102 0
0 3 9000 0 102 1
`)
	transactions, err := parsePgbenchLog(log)
	if err != nil {
		t.Fatal(err)
	}
	got, err := sampleOf(transactions, Load{Warmup: time.Second, Window: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	// The first began at 100 s sharp: the window is from 101 s to 102 s.
	if diff := cmp.Diff(Sample{Rate: 3, P50: 3, P99: 4}, got); diff != "" {
		t.Error(diff)
	}
}

func TestOtherLinesInPgbenchsLogAreRefused(t *testing.T) {
	t.Parallel()
	for _, log := range []string{"0 1 1000\n", "0 1 skipped 0 100 1000\n", "0 1 1 0 now 1000\n"} {
		if got, err := parsePgbenchLog([]byte(log)); err == nil {
			t.Errorf("%q gave %v", log, got)
		}
	}
}
