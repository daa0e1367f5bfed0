package eventstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"portal.example/eventstore"
)

func TestRequestsThatCannotSucceed(t *testing.T) {
	t.Parallel()
	client := connect(t, "esdb://nobody.invalid:2113") // none of them gets as far as that
	defer func() { _ = client.Close() }()
	nameless, typeless, large := event(0), event(0), event(0)
	nameless.ID = [16]byte{}
	typeless.Type = ""
	large.Data = make([]byte, eventstore.MaxAppendSize)

	for _, test := range []struct {
		name   string
		stream string
		events []eventstore.Proposed
		want   error
	}{
		{"no stream", "", []eventstore.Proposed{event(0)}, eventstore.ErrInvalid},
		{"no events", "counter-1", nil, eventstore.ErrInvalid},
		{"no id", "counter-1", []eventstore.Proposed{event(0), nameless}, eventstore.ErrInvalid},
		{"no type", "counter-1", []eventstore.Proposed{typeless}, eventstore.ErrInvalid},
		{"too large", "counter-1", []eventstore.Proposed{large}, eventstore.ErrTooLarge},
	} {
		if _, err := client.Append(t.Context(), test.stream, eventstore.Any(), test.events...); !errors.Is(err, test.want) {
			t.Errorf("append, %s: got %v, want %v", test.name, err, test.want)
		}
	}
	if err := drain(client.ReadStream(t.Context(), "", 0)); !errors.Is(err, eventstore.ErrInvalid) {
		t.Errorf("read without a stream: got %v", err)
	}
	for name, filter := range map[string]eventstore.Filter{
		"no prefix":       eventstore.StreamPrefix(),
		"an empty prefix": eventstore.TypePrefix("A", ""),
		"no expression":   eventstore.StreamMatches(""),
	} {
		subscription := client.Subscribe(t.Context(), eventstore.SubscribeOptions{Filter: filter})
		defer subscription.Close()
		if _, err := subscription.NextBatch(t.Context(), 1); !errors.Is(err, eventstore.ErrInvalid) {
			t.Errorf("subscription, %s: got %v", name, err)
		}
	}
	subscription := client.Subscribe(t.Context(), eventstore.SubscribeOptions{})
	if _, err := subscription.NextBatch(t.Context(), 0); !errors.Is(err, eventstore.ErrInvalid) {
		t.Errorf("a batch of none: got %v", err)
	}
	subscription.Close()
	if _, err := subscription.NextBatch(t.Context(), 1); !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("after closing: got %v", err)
	}
}

func TestErrorsSayWhatWhereAndWhy(t *testing.T) {
	t.Parallel()
	l := startLog(t)
	client := l.connect()
	fill(t, client, "counter-1", 3)

	_, err := client.Append(t.Context(), "counter-1", eventstore.Exactly(0), event(1))
	var failure *eventstore.Error
	if !errors.Is(err, eventstore.ErrWrongExpected) || !errors.As(err, &failure) {
		t.Fatalf("got %v, want ErrWrongExpected", err)
	}
	if failure.Current == nil || *failure.Current != 2 || failure.Stream != "counter-1" {
		t.Errorf("the error is about %q at %v", failure.Stream, failure.Current)
	}
	_, err = client.Append(t.Context(), "counter-2", eventstore.Exactly(0), event(1))
	if !errors.As(err, &failure) || !errors.Is(err, eventstore.ErrWrongExpected) || failure.Current != nil {
		t.Errorf("a stream that is not there: %v at %v", err, failure.Current)
	}
	if err := drain(client.ReadStream(t.Context(), "counter-2", 0)); !errors.Is(err, eventstore.ErrStreamNotFound) ||
		!strings.Contains(err.Error(), `"counter-2"`) {
		t.Errorf("a read of what is not there: %v", err)
	}

	unreachable := connect(t, "esdb://127.0.0.1:1?tls=false")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := unreachable.Head(ctx); !errors.Is(err, eventstore.ErrUnavailable) ||
		!strings.Contains(err.Error(), "connection refused") {
		t.Errorf("nobody listens: %v", err)
	}
}
