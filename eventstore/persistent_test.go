package eventstore_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"portal.example/eventstore"
	"portal.example/eventstore/logtest"
)

func TestGroupsAreMadeAndDeleted(t *testing.T) {
	t.Parallel()
	client := startLog(t).connect()
	ctx := patience(t)
	for _, group := range []eventstore.Group{{Stream: "counter-1", Name: "mail"}, {Name: "mail"}} {
		for _, step := range []struct {
			name string
			err  error
			want error
		}{
			{"inspect before", inspect(ctx, client, group), eventstore.ErrGroupNotFound},
			{"delete before", client.DeleteGroup(ctx, group), eventstore.ErrGroupNotFound},
			{"replay before", client.ReplayParked(ctx, group), eventstore.ErrGroupNotFound},
			{"create", client.CreateGroup(ctx, group, eventstore.GroupSettings{}), nil},
			{"create again", client.CreateGroup(ctx, group, eventstore.GroupSettings{MaxRetries: 3}), eventstore.ErrGroupExists},
			{"inspect", inspect(ctx, client, group), nil},
			{"replay", client.ReplayParked(ctx, group), nil},
			{"delete", client.DeleteGroup(ctx, group), nil},
			{"delete again", client.DeleteGroup(ctx, group), eventstore.ErrGroupNotFound},
		} {
			if !errors.Is(step.err, step.want) {
				t.Errorf("group %+v: %s: got %v, want %v", group, step.name, step.err, step.want)
			}
		}
	}
}

func inspect(ctx context.Context, client *eventstore.Client, group eventstore.Group) error {
	_, err := client.InspectGroup(ctx, group)
	return err
}

func TestImpossibleGroupsAreRefused(t *testing.T) {
	t.Parallel()
	client := connect(t, "esdb://127.0.0.1:1?tls=false") // nobody is asked
	for want, create := range map[string]struct {
		group    eventstore.Group
		settings eventstore.GroupSettings
	}{
		"the group has no name":    {eventstore.Group{Stream: "counter-1"}, eventstore.GroupSettings{}},
		"a stream's group":         {eventstore.Group{Stream: "counter-1", Name: "mail"}, eventstore.GroupSettings{Filter: eventstore.UserEvents()}},
		"empty prefix":             {eventstore.Group{Name: "mail"}, eventstore.GroupSettings{Filter: eventstore.TypePrefix("")}},
		"MessageTimeout in ms: -1": {eventstore.Group{Name: "mail"}, eventstore.GroupSettings{MessageTimeout: -time.Millisecond}},
		"MaxRetries: 4294967296":   {eventstore.Group{Name: "mail"}, eventstore.GroupSettings{MaxRetries: 1 << 32}},
		"MaxConsumers: -1":         {eventstore.Group{Name: "mail"}, eventstore.GroupSettings{MaxConsumers: -1}},
		"Buffer: 9":                {eventstore.Group{Name: "mail"}, eventstore.GroupSettings{Buffer: 9}},
		"CheckpointAfter in ms: 0": {eventstore.Group{Name: "mail"}, eventstore.GroupSettings{CheckpointAfter: time.Microsecond}},
		"MinCheckpoint: -1":        {eventstore.Group{Name: "mail"}, eventstore.GroupSettings{MinCheckpoint: -1}},
		"MaxCheckpoint: -1":        {eventstore.Group{Name: "mail"}, eventstore.GroupSettings{MaxCheckpoint: -1}},
	} {
		err := client.CreateGroup(t.Context(), create.group, create.settings)
		if !errors.Is(err, eventstore.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want ErrInvalid because of %q", err, want)
		}
	}
	if _, err := client.Consume(t.Context(), eventstore.Group{}, eventstore.ConsumeOptions{}).Next(t.Context()); !errors.Is(err, eventstore.ErrInvalid) {
		t.Errorf("consuming as nobody: got %v, want ErrInvalid", err)
	}
}

// A group begins with what comes after it, unless it is told to begin at the
// start: this client has been seen to confuse the two (in updates).
func TestGroupsBeginWhereTheyAreTold(t *testing.T) {
	t.Parallel()
	client := startLog(t).connect()
	ctx := patience(t)
	appendCounted(t, client, "counter-1", 0, 3)
	counted := eventstore.TypeMatches("^Counted$")
	for _, group := range []struct {
		eventstore.Group
		filter eventstore.Filter
	}{
		{eventstore.Group{Stream: "counter-1", Name: "new"}, eventstore.Filter{}},
		{eventstore.Group{Name: "new"}, counted},
	} {
		old := group.Group
		old.Name = "old"
		if err := errors.Join(
			client.CreateGroup(ctx, group.Group, eventstore.GroupSettings{Filter: group.filter}),
			client.CreateGroup(ctx, old, eventstore.GroupSettings{Filter: group.filter, FromStart: true}),
		); err != nil {
			t.Fatal(err)
		}
	}
	appendCounted(t, client, "counter-1", 3, 5)
	for _, stream := range []string{"counter-1", ""} {
		wantRevisions(t, consume(t, client, eventstore.Group{Stream: stream, Name: "new"}), 3, 4)
		wantRevisions(t, consume(t, client, eventstore.Group{Stream: stream, Name: "old"}), 0, 1, 2, 3, 4)
	}
}

func TestAnswersDecideWhatBecomesOfAnEvent(t *testing.T) {
	t.Parallel()
	client := startLog(t).connect()
	ctx := patience(t)
	group := createdGroup(t, client, eventstore.GroupSettings{MaxRetries: 2})
	appendCounted(t, client, group.Stream, 0, 3)
	k := consume(t, client, group)

	tries := map[uint64][]int{}
	for range 1 + 1 + 3 { // acknowledged, parked, and tried until that is enough
		d := next(t, k)
		tries[d.Event.Revision] = append(tries[d.Event.Revision], d.Retries)
		switch d.Event.Revision {
		case 0:
			d.Ack()
		case 1:
			d.Park("nobody at home\xff" + strings.Repeat("!", eventstore.MaxReason))
		case 2:
			d.Retry()
		}
	}
	if !slices.Equal(tries[0], []int{0}) || !slices.Equal(tries[1], []int{0}) || !slices.Equal(tries[2], []int{0, 1, 2}) {
		t.Errorf("deliveries with retries, by revision: %v", tries)
	}
	reasons := logtest.Parked(t, client, group, 2)
	if !strings.Contains(reasons["1@counter-1"], "nobody at home") || len(reasons["1@counter-1"]) > eventstore.MaxReason+100 || reasons["2@counter-1"] == "" {
		t.Errorf("parked for: %q", reasons)
	}

	if err := client.ReplayParked(ctx, group); err != nil {
		t.Fatal(err)
	}
	wantRevisions(t, k, 1, 2)
}

// What was answered before Close is not delivered again, and what was not is.
func TestConsumerTakesLeave(t *testing.T) {
	t.Parallel()
	client := startLog(t).connect()
	group := createdGroup(t, client, eventstore.GroupSettings{})
	const events, answered = 100, 60
	appendCounted(t, client, group.Stream, 0, events)
	first := client.Consume(t.Context(), group, eventstore.ConsumeOptions{Buffer: 70})
	done := map[uint64]bool{}
	for range answered {
		d := next(t, first)
		d.Ack()
		done[d.Event.Revision] = true
	}
	next(t, first) // stays unanswered
	first.Close(patience(t))
	if _, err := first.Next(patience(t)); !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("after Close: got %v, want ErrClosed", err)
	}

	second := consume(t, client, group)
	for len(done) < events {
		d := next(t, second)
		if done[d.Event.Revision] {
			t.Fatalf("event %d came again", d.Event.Revision)
		}
		done[d.Event.Revision] = true
		d.Ack()
	}
}

func TestConsumersShareAGroup(t *testing.T) {
	t.Parallel()
	client := startLog(t).connect()
	group := createdGroup(t, client, eventstore.GroupSettings{})
	var consumers [2]*eventstore.Consumer
	for i := range consumers {
		consumers[i] = client.Consume(t.Context(), group, eventstore.ConsumeOptions{Buffer: 1})
		defer consumers[i].Close(t.Context())
	}
	appendCounted(t, client, group.Stream, 0, 2)
	a, b := next(t, consumers[0]), next(t, consumers[1])
	if a.Event.Revision == b.Event.Revision {
		t.Errorf("both have event %d", a.Event.Revision)
	}
	if info, err := client.InspectGroup(patience(t), group); err != nil || info.Consumers != 2 || info.InFlight != 2 {
		t.Errorf("the group says %+v, %v", info, err)
	}
}

func TestConsumerEndsWithWhatItBelongsTo(t *testing.T) {
	t.Parallel()
	log := startLog(t)
	group := createdGroup(t, log.connect(), eventstore.GroupSettings{})
	for name, test := range map[string]struct {
		end  func(cancel context.CancelFunc, client *eventstore.Client, k *eventstore.Consumer)
		want error
	}{
		"its context": {func(cancel context.CancelFunc, _ *eventstore.Client, _ *eventstore.Consumer) { cancel() }, context.Canceled},
		"the client":  {func(_ context.CancelFunc, c *eventstore.Client, _ *eventstore.Consumer) { _ = c.Close() }, eventstore.ErrClosed},
		"itself":      {func(_ context.CancelFunc, _ *eventstore.Client, k *eventstore.Consumer) { k.Close(t.Context()) }, eventstore.ErrClosed},
	} {
		client := log.connect()
		ctx, cancel := context.WithCancel(t.Context())
		k := client.Consume(ctx, group, eventstore.ConsumeOptions{})
		failed := make(chan error, 1)
		go func() {
			_, err := k.Next(context.Background())
			failed <- err
		}()
		test.end(cancel, client, k)
		select {
		case err := <-failed:
			if !errors.Is(err, test.want) {
				t.Errorf("%s: got %v, want %v", name, err, test.want)
			}
		case <-patience(t).Done():
			t.Errorf("%s: Next still waits", name)
		}
		cancel()
	}
	k := consume(t, log.connect(), group)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.Next(over); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that is over: got %v", err)
	}
	appendCounted(t, log.connect(), group.Stream, 0, 1)
	wantRevisions(t, k, 0) // it goes on
}

func TestConsumerOfADeletedGroupHearsOfIt(t *testing.T) {
	t.Parallel()
	client := startLog(t).connect()
	group := createdGroup(t, client, eventstore.GroupSettings{})
	k := consume(t, client, group)
	appendCounted(t, client, group.Stream, 0, 1)
	wantRevisions(t, k, 0)
	if err := client.DeleteGroup(patience(t), group); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Next(patience(t)); !errors.Is(err, eventstore.ErrGroupNotFound) {
		t.Errorf("got %v, want ErrGroupNotFound", err)
	}
}

// When the connection breaks, what was in hand is delivered again, whether or
// not it is answered meanwhile; what waited here is not handed out any more.
func TestConsumerOutlivesItsConnection(t *testing.T) {
	t.Parallel()
	log := startLog(t)
	client := log.connect()
	group := createdGroup(t, client, eventstore.GroupSettings{})
	appendCounted(t, client, group.Stream, 0, 10)
	k := consume(t, client, group)
	inHand := next(t, k)
	log.cable.cut()
	inHand.Ack() // goes nowhere, or came in time
	log.cable.plug(log.running.Addr())
	seen := map[uint64]int{}
	for len(seen) < 9 {
		d := next(t, k)
		if d.Event.Revision != inHand.Event.Revision {
			seen[d.Event.Revision]++
		}
		d.Ack()
	}
	for revision, times := range seen {
		if times > 2 { // once over either connection
			t.Errorf("event %d came %d times", revision, times)
		}
	}
	appendCounted(t, client, group.Stream, 10, 11)
	for last := uint64(0); last != 10; {
		d := next(t, k)
		d.Ack()
		last = d.Event.Revision
	}
}

func TestConsumerOutlivesTheLog(t *testing.T) {
	t.Parallel()
	log := startLog(t)
	client := log.connect()
	group := createdGroup(t, client, eventstore.GroupSettings{})
	k := consume(t, client, group)
	appendCounted(t, client, group.Stream, 0, 1)
	wantRevisions(t, k, 0)
	log.restart()
	appendCounted(t, client, group.Stream, 1, 2)
	for {
		d := next(t, k)
		d.Ack()
		if d.Event.Revision == 1 {
			return
		}
	}
}

func createdGroup(t *testing.T, client *eventstore.Client, settings eventstore.GroupSettings) eventstore.Group {
	t.Helper()
	group := eventstore.Group{Stream: "counter-1", Name: "mail"}
	if err := client.CreateGroup(patience(t), group, settings); err != nil {
		t.Fatal(err)
	}
	return group
}

func consume(t *testing.T, client *eventstore.Client, group eventstore.Group) *eventstore.Consumer {
	t.Helper()
	k := client.Consume(t.Context(), group, eventstore.ConsumeOptions{})
	t.Cleanup(func() { k.Close(context.Background()) })
	return k
}

func next(t *testing.T, k *eventstore.Consumer) eventstore.Delivery {
	t.Helper()
	d, err := k.Next(patience(t))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// wantRevisions checks which events come next, in whatever order, and
// acknowledges them.
func wantRevisions(t *testing.T, k *eventstore.Consumer, want ...uint64) {
	t.Helper()
	var got []uint64
	for range want {
		d := next(t, k)
		d.Ack()
		got = append(got, d.Event.Revision)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
}

func appendCounted(t *testing.T, client *eventstore.Client, stream string, from, to uint64) {
	t.Helper()
	var events []eventstore.Proposed
	for range to - from {
		events = append(events, eventstore.Proposed{ID: uuid.New(), Type: "Counted", Data: []byte(`{}`), Metadata: []byte(`{}`)})
	}
	if _, err := client.Append(patience(t), stream, expected(from), events...); err != nil {
		t.Fatal(err)
	}
}
