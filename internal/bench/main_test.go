package main

import (
	"errors"
	"testing"
)

func TestUnusableFlagsAreAQuestionOfUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"fast"}, {"--runs", "0"}, {"--window", "0s"}, {"--read", "7"}, {"--rebuild", "0"}, {"--events", "100"}, {"--replay", "999"},
	} {
		if _, err := parse(args); !errors.Is(err, errUsage) {
			t.Errorf("%v: error %v", args, err)
		}
	}
}

func TestShortIsShort(t *testing.T) {
	t.Parallel()
	full, err1 := parse(nil)
	short, err2 := parse([]string{"--short"})
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if short.Runs*int(short.Window) >= full.Runs*int(full.Window) || short.Events >= full.Events || short.Read >= full.Read || short.Rebuild >= full.Rebuild || short.Replay >= full.Replay {
		t.Errorf("short %+v, full %+v", short.Options, full.Options)
	}
}

func TestOnlyFindsRowsByNameGroupAndOpponent(t *testing.T) {
	t.Parallel()
	lab := &Lab{payloads: makePayloads(1)}
	for text, want := range map[string]int{"emmett": 3, "GROWTH": 4, "readall": 2, "rebuild of": 6, "one record": 2, "replay": 6, "visible": 2, "watermill": 3, "no such row": 0} {
		if got := len(only(allRows(lab), text)); got != want {
			t.Errorf("%q finds %d rows, want %d", text, got, want)
		}
	}
	if all := allRows(lab); len(only(allRows(lab), "")) != len(all) {
		t.Error("no text does not mean all rows")
	}
}
