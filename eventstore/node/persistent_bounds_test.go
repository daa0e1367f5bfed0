package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"portal.example/eventstore/node/group"
	"portal.example/eventstore/node/journal"
)

func TestNoGroupStartsWhenTheNodeStops(t *testing.T) {
	t.Parallel()
	alive, stop := context.WithCancel(t.Context())
	s := newPersistentService(alive, openJournal(t, journal.Options{}), slog.New(slog.DiscardHandler))
	stop()
	s.wait()
	entry, _, err := createdGroup(createRequest("s-1", "g").GetOptions())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.start(entry); !errors.Is(err, errStopping) {
		t.Errorf("%v", err)
	}
}

func TestGroupsAreBounded(t *testing.T) {
	t.Parallel()
	s := groupsOn(t, openJournal(t, journal.Options{}))
	large := createRequest("", "")
	options := &persistent.CreateReq_AllOptions{AllOption: &persistent.CreateReq_AllOptions_End{End: &shared.Empty{}}}
	large.Options.StreamOption = &persistent.CreateReq_Options_All{All: options}
	expression := &persistent.CreateReq_AllOptions_FilterOptions_Expression{}
	for range maxPrefixes {
		expression.Prefix = append(expression.Prefix, strings.Repeat("x", maxNameBytes))
	}
	options.FilterOption = &persistent.CreateReq_AllOptions_Filter{Filter: &persistent.CreateReq_AllOptions_FilterOptions{
		Filter: &persistent.CreateReq_AllOptions_FilterOptions_EventType{EventType: expression},
	}}
	var err error
	for n := 0; err == nil && n < 10; n++ {
		large.Options.GroupName = fmt.Sprint("large-", n)
		_, err = s.Create(t.Context(), large)
	}
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("groups whose settings are large: %v", err)
	}
	many := &persistentService{groups: map[string]*consumerGroup{}}
	for n := range maxGroups {
		if err := many.mayBegin(groupKey{"s-1", "one-more"}); err != nil {
			t.Fatalf("after %d: %v", n, err)
		}
		many.groups[fmt.Sprint("group-", n)] = &consumerGroup{}
	}
	if err := many.mayBegin(groupKey{"s-1", "one-more"}); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("one group more: %v", err)
	}
}

func TestGroupsShareMemory(t *testing.T) {
	t.Parallel()
	m := &groupMemory{}
	for groups, want := range map[int64]int{0: groupMayHold, 1: groupMayHold, 8: groupMayHold, 16: groupsHold / 16, maxGroups: groupsHold / maxGroups} {
		m.groups.Store(groups)
		if got := m.share(); got != want {
			t.Errorf("each of %d groups may hold %d bytes, want %d", groups, got, want)
		}
	}
}

// What a group keeps of a page is its events, and not the page.
func TestGroupKeepsNoPages(t *testing.T) {
	t.Parallel()
	page := []byte("streamTypemetadatadata and all the rest")
	r := &journal.Record{Stream: page[:6], Type: page[6:10], Metadata: page[10:18], Data: page[18:22], Revision: 7}
	c := cloned(r)
	clear(page)
	if got := fmt.Sprintf("%s %s %s %s %d", c.Stream, c.Type, c.Metadata, c.Data, c.Revision); got != "stream Type metadata data 7" {
		t.Error(got)
	}
	if c.Stream = append(c.Stream, '!'); string(c.Type) != "Type" {
		t.Error("its fields run into one another")
	}
}

// Parked messages that are too old to be shown are no end of the replay.
func TestReplayGoesPastWhatHasExpired(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	now.Store(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC).UnixNano())
	j := openJournal(t, journal.Options{Now: func() time.Time { return time.Unix(0, now.Load()) }})
	key := groupKey{"s-1", "g"}
	park := func(n int) {
		links := make([]journal.Event, n)
		for i := range links {
			links[i] = journal.Event{ID: uuid.New(), Type: linkType, Data: []byte("0@s-1")}
		}
		if _, err := j.Append(t.Context(), parkedStream(key), journal.Any, links); err != nil {
			t.Fatal(err)
		}
	}
	const expired = 5000 // more than are looked at in one go
	park(expired)
	now.Add(int64(time.Hour))
	park(2)
	if err := setMetadata(t.Context(), j, parkedStream(key), `{"$maxAge":60}`); err != nil {
		t.Fatal(err)
	}
	p, err := openParked(j, key)
	if err != nil {
		t.Fatal(err)
	}
	p.bytes = maxPageBytes
	p.replay(expired + 2)
	g := group.New(group.Settings{ReadBatch: 20, HistoryBuffer: 100, Strategy: group.RoundRobin}, 0, false)
	for n := 0; p.replaying(); n++ {
		if n == 10 {
			t.Fatalf("the replay stays at %d", p.next)
		}
		if err := p.read(t.Context(), 20, g); err != nil {
			t.Fatal(err)
		}
	}
	if s := g.Stats(time.Now()); s.Retrying != 2 {
		t.Errorf("%d are replayed, want the 2 that are to be seen", s.Retrying)
	}
}

// slowCall lets the test say when a message has been sent.
type slowCall struct {
	grpc.ServerStream
	ctx     context.Context //nolint:containedctx // what grpc asks of a stream
	sending chan struct{}
	sent    chan struct{}
}

func (c *slowCall) Context() context.Context { return c.ctx }
func (c *slowCall) SendMsg(any) error {
	c.sending <- struct{}{}
	<-c.sent
	return nil
}

// A consumer that is let go gets no more of what waits for it: others have it.
func TestDroppedConsumerGetsNoMore(t *testing.T) {
	t.Parallel()
	sub := newSubscriber(t.Context(), 10, true)
	record := &journal.Record{ID: uuid.New(), Data: []byte("{}")}
	for range 3 {
		sub.deliver(group.Delivery{Event: group.Event{Record: record}})
	}
	call := &slowCall{ctx: t.Context(), sending: make(chan struct{}), sent: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- sub.send(call, nil) }()
	<-call.sending
	sub.drop(errStopping)
	close(call.sent)
	select {
	case err := <-ended:
		if !errors.Is(err, errStopping) {
			t.Error(err)
		}
	case <-call.sending:
		t.Error("another message is sent")
	}
	if n, bytes := sub.backlog(); n != 2 || bytes != 2*(group.Event{Record: record}).Size() {
		t.Errorf("%d messages of %d bytes are unsent", n, bytes)
	}
}

func TestConnectionNameIsFitToShow(t *testing.T) {
	t.Parallel()
	for _, sent := range []string{"portal", "bad \xff bytes", strings.Repeat("é", 10_000)} {
		ctx := metadata.NewIncomingContext(t.Context(), metadata.MD{"connection-name": {sent}})
		if name := connectionName(ctx); !utf8.ValidString(name) || len(name) > maxConnectionName || !slices.Contains([]rune(sent), []rune(name)[0]) {
			t.Errorf("%.20q is shown as %q", sent, name)
		}
	}
}

// Many messages, or long reasons, are parked in more than one append.
func TestParkedTogether(t *testing.T) {
	t.Parallel()
	record := &journal.Record{Stream: []byte("s-1")}
	message := func(reason int) *group.Message {
		return &group.Message{Event: group.Event{Record: record}, Reason: strings.Repeat("x", reason)}
	}
	var many []*group.Message
	for range 1000 {
		many = append(many, message(maxReasonBytes))
	}
	if n := parkedTogether(many); n < 10 || n > maxAppendBytes/maxReasonBytes {
		t.Errorf("%d of %d long ones", n, len(many))
	}
	if n := parkedTogether(many[:3]); n != 3 {
		t.Errorf("%d of 3", n)
	}
	if n := parkedTogether([]*group.Message{message(2 * maxAppendBytes), message(0)}); n != 1 {
		t.Errorf("%d where the first is too large by itself", n)
	}
}
