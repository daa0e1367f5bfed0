package main

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestTheFirstErrorEndsTheLoad(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	_, err := Load{Writers: 4, Window: time.Hour}.run(t.Context(), func(i int) func(context.Context) error {
		if i == 0 {
			return func(context.Context) error { return refused }
		}
		return func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
	})
	if !errors.Is(err, refused) {
		t.Errorf("error %v", err)
	}
}

// The in-memory server checks revisions: a writer that lost count is refused.
func TestWritersOfAFilledLogKeepCount(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := startHere(ctx, inMemory, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	payloads := makePayloads(3)
	const streams, writers, each = 6, 2, 30
	filled, err := fill(ctx, s.client, payloads, streams*filledPerStream, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	for i := range writers {
		write := filled.newMixedAppender(byClient(s.client), payloads, i, writers)
		for range each {
			if err := write(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	n, err := readAll(ctx, s.client)
	if err != nil {
		t.Fatal(err)
	}
	if want := streams*filledPerStream + writers*each; n != want {
		t.Errorf("%d events, want %d", n, want)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}
