package node

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"portal.example/eventstore/node/group"
	"portal.example/eventstore/node/journal"
)

// patience bounds what a test waits for; none waits for it to pass.
const patience = time.Minute

func newHeldDisk() heldDisk {
	return heldDisk{FS: vfs.NewMem(), held: new(atomic.Bool), free: make(chan struct{}), syncs: new(atomic.Int64)}
}

// awaitSync waits until a write is held back.
func (d heldDisk) awaitSync(t *testing.T) {
	t.Helper()
	eventually(t, "a sync", func() bool { return d.syncs.Load() > 0 })
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	late := time.After(patience)
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for !is() {
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

func openJournal(t *testing.T, o journal.Options) *journal.Journal {
	t.Helper()
	if o.FS == nil {
		o.FS = vfs.NewMem()
	}
	j, err := journal.Open("data", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return j
}

// groupsOn is the service on a journal, for the length of the test.
func groupsOn(t *testing.T, j *journal.Journal) *persistentService {
	t.Helper()
	alive, stop := context.WithCancel(t.Context())
	s := newPersistentService(alive, j, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		stop()
		s.wait()
	})
	return s
}

func createRequest(stream, name string) *persistent.CreateReq {
	return &persistent.CreateReq{Options: &persistent.CreateReq_Options{
		StreamOption: &persistent.CreateReq_Options_Stream{Stream: &persistent.CreateReq_StreamOptions{
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(stream)},
			RevisionOption:   &persistent.CreateReq_StreamOptions_Start{Start: &shared.Empty{}},
		}},
		GroupName: name,
		Settings: &persistent.CreateReq_Settings{
			MaxRetryCount: 3, MinCheckpointCount: 1, MaxCheckpointCount: 1, ReadBatchSize: 20, HistoryBufferSize: 100,
			ConsumerStrategy: "RoundRobin", MessageTimeout: &persistent.CreateReq_Settings_MessageTimeoutMs{MessageTimeoutMs: 60_000},
		},
	}}
}

// working makes a group of a stream of some events, with one consumer of it.
func working(t *testing.T, s *persistentService, events int) (*consumerGroup, *subscriber, []uuid.UUID) {
	t.Helper()
	var ids []uuid.UUID
	var proposed []journal.Event
	for range events {
		ids = append(ids, uuid.New())
		proposed = append(proposed, journal.Event{ID: ids[len(ids)-1], Type: "Noted"})
	}
	if _, err := s.journal.Append(t.Context(), "s-1", journal.Any, proposed); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), createRequest("s-1", "g")); err != nil {
		t.Fatal(err)
	}
	g, err := s.find(groupKey{"s-1", "g"})
	if err != nil {
		t.Fatal(err)
	}
	sub := newSubscriber(t.Context(), events, true)
	if err := g.join(t.Context(), sub); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all delivered", func() bool { n, _ := sub.backlog(); return n == events })
	return g, sub, ids
}

// Consumers go on answering and coming while a group waits for its last write.
func TestGroupEndsInOrder(t *testing.T) {
	t.Parallel()
	disk := newHeldDisk()
	s := groupsOn(t, openJournal(t, journal.Options{FS: disk}))
	g, sub, ids := working(t, s, 2)
	disk.held.Store(true)
	g.post(func() { g.group.Ack(g.now(), ids[0]) })
	disk.awaitSync(t) // the checkpoint
	g.stop(groupDropped(g.key))
	<-sub.dropped
	g.post(func() { g.nack(sub, persistent.ReadReq_Nack_Stop, "", ids[1:]) })
	late := newSubscriber(t.Context(), 1, true)
	joined := make(chan error, 1)
	go func() { joined <- g.join(t.Context(), late) }()
	close(disk.free)
	if err := <-joined; err == nil || !strings.Contains(err.Error(), "dropped") {
		t.Errorf("joining a group that ends: %v", err)
	}
	<-g.done
}

// Nothing of a group is written once it has ended: its name may be another's.
func TestNoWriteOutlivesItsGroup(t *testing.T) {
	t.Parallel()
	disk := newHeldDisk()
	s := groupsOn(t, openJournal(t, journal.Options{FS: disk}))
	g, _, ids := working(t, s, 2)
	g.post(func() { g.grace = time.Millisecond })
	disk.held.Store(true)
	g.post(func() {
		g.group.Ack(g.now(), ids[0])
		g.group.Nack(g.now(), group.Park, "", ids[1])
	})
	disk.awaitSync(t)
	g.stop(groupDropped(g.key))
	<-g.done
	if g.saving {
		t.Error("a write is still under way")
	}
	close(disk.free)
}

// What an operator has discarded stays discarded, and is not counted, whatever the
// group forgets of its own afterwards.
func TestADiscardIsNotTakenBack(t *testing.T) {
	t.Parallel()
	s := groupsOn(t, openJournal(t, journal.Options{}))
	g, sub, ids := working(t, s, 3)
	taken := func() (ids []uuid.UUID) {
		for _, d := range sub.take() {
			sub.sent(d)
			ids = append(ids, d.Original().ID)
		}
		return ids
	}
	taken()
	parked := func() (n int64) {
		info, err := g.info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return info.GetParkedMessageCount()
	}
	stream := parkedStream(g.key)
	discard := func(metadata string) {
		if err := setMetadata(t.Context(), s.journal, stream, metadata); err != nil {
			t.Fatal(err)
		}
	}
	g.post(func() { g.nack(sub, persistent.ReadReq_Nack_Park, "", ids) })
	eventually(t, "all parked", func() bool { return parked() == 3 })
	discard(`{"$tb":1,"owner":"x"}`)
	if n := parked(); n != 2 {
		t.Errorf("%d are parked after one was discarded", n)
	}

	if err := g.ask(t.Context(), func() { g.parked.replay(2) }); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second one again", func() bool { ids = taken(); return len(ids) == 1 })
	discard(`{"$tb":3,"owner":"x"}`)
	if n := parked(); n != 0 {
		t.Errorf("%d are parked after all were discarded", n)
	}
	g.post(func() { g.group.Ack(g.now(), ids...) })
	eventually(t, "the group forgets the second one", func() bool {
		var forgotten uint64
		if err := g.ask(t.Context(), func() { forgotten = g.parked.truncated }); err != nil {
			t.Fatal(err)
		}
		return forgotten == 2
	})
	last, err := lastOf(t.Context(), s.journal, "$$"+stream)
	if err != nil || string(last.Data) != `{"$tb":3,"owner":"x"}` {
		t.Errorf("the metadata is %s, %v", last.Data, err)
	}
	if err := truncateParked(t.Context(), s.journal, g.key, 5); err != nil {
		t.Fatal(err)
	}
	last, err = lastOf(t.Context(), s.journal, "$$"+stream)
	if err != nil || string(last.Data) != `{"$tb":5,"owner":"x"}` {
		t.Errorf("the metadata is %s, %v", last.Data, err)
	}
}

// A change that was begun is carried through, also where its client has gone.
func TestChangeIsCarriedThrough(t *testing.T) {
	t.Parallel()
	disk := newHeldDisk()
	j := openJournal(t, journal.Options{FS: disk})
	s := groupsOn(t, j)
	disk.held.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	created := make(chan error, 1)
	go func() {
		_, err := s.Create(ctx, createRequest("s-1", "g"))
		created <- err
	}()
	disk.awaitSync(t)
	cancel()
	if _, err := s.await(ctx, groupKey{"s-1", "g"}); !errors.Is(err, context.Canceled) {
		t.Errorf("whoever waits for a change may give up: %v", err)
	}
	close(disk.free)
	if err := <-created; err != nil {
		t.Errorf("create: %v", err)
	}
	if _, err := s.find(groupKey{"s-1", "g"}); err != nil {
		t.Error(err)
	}
	stored, err := loadGroups(t.Context(), j)
	if err != nil || len(stored) != 1 {
		t.Errorf("stored: %v, %v", stored, err)
	}
}

// A change that the disk does not take ends, and the next one is made once the
// disk does. Nobody waits for either for ever, nor does a node that stops.
func TestChangeIsBounded(t *testing.T) {
	t.Parallel()
	disk := newHeldDisk()
	j := openJournal(t, journal.Options{FS: disk})
	s := groupsOn(t, j)
	s.changeLimit = 10 * time.Millisecond
	disk.held.Store(true)
	if _, err := s.Create(t.Context(), createRequest("s-1", "g")); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("create on a disk that does not answer: %v", err)
	}
	if _, err := s.find(groupKey{"s-1", "g"}); !isNoGroup(err) {
		t.Errorf("the group that could not be made: %v", err)
	}
	disk.held.Store(false)
	close(disk.free)
	s.changeLimit = patience
	for _, name := range []string{"g", "h"} {
		if _, err := s.Create(t.Context(), createRequest("s-1", name)); err != nil {
			t.Errorf("create %s: %v", name, err)
		}
	}
	stored, err := loadGroups(t.Context(), j)
	if err != nil || len(stored) != 2 {
		t.Errorf("stored: %v, %v", stored, err)
	}
}

// A consumer that was dropped by an update finds the group's successor.
func TestConsumerFindsUpdatedGroup(t *testing.T) {
	t.Parallel()
	s := groupsOn(t, openJournal(t, journal.Options{}))
	old, sub, _ := working(t, s, 1)
	call := &joiningCall{ctx: t.Context(), confirmed: make(chan struct{})}
	ended := make(chan error, 1)
	if err := s.change(t.Context(), func(context.Context) error {
		s.stop(old)
		<-sub.dropped
		go func() { ended <- s.Read(call) }()
		eventually(t, "the consumer comes again", call.asked.Load)
		return s.start(old.stored)
	}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-call.confirmed:
	case err := <-ended:
		t.Errorf("the consumer that comes again is told: %v", err)
	}
}

// joiningCall is a consumer of the group g of s-1 that hears whether it is let in.
type joiningCall struct {
	grpc.ServerStream
	ctx       context.Context //nolint:containedctx // what grpc asks of a stream
	asked     atomic.Bool
	once      sync.Once
	confirmed chan struct{}
}

func (c *joiningCall) Context() context.Context { return c.ctx }

func (c *joiningCall) Recv() (*persistent.ReadReq, error) {
	if c.asked.Swap(true) {
		<-c.ctx.Done()
		return nil, c.ctx.Err()
	}
	return &persistent.ReadReq{Content: &persistent.ReadReq_Options_{Options: &persistent.ReadReq_Options{
		StreamOption: &persistent.ReadReq_Options_StreamIdentifier{StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte("s-1")}},
		GroupName:    "g", BufferSize: 1,
	}}}, nil
}

func (c *joiningCall) Send(*persistent.ReadResp) error { return nil }

func (c *joiningCall) SendMsg(any) error {
	c.once.Do(func() { close(c.confirmed) })
	return nil
}
