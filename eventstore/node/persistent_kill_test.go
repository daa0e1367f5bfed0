package node_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
)

// competition is a group of eight consumers over rounds of kill -9.
type competition struct {
	mu      sync.Mutex
	written map[uuid.UUID]bool // appended and acknowledged by the node
	handled map[uuid.UUID]int  // by consumers, how often
	parked  int
}

const (
	competitionStream = "work"
	competitionGroup  = "workers"
)

func TestEveryEventIsHandledInSpiteOfKills(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := &competition{written: map[uuid.UUID]bool{}, handled: map[uuid.UUID]int{}}
	n := max(rounds(t)/4, 2)
	for round := range n {
		child, appends, groups := startConsumedChild(t, dir)
		if round == 0 {
			createCompetition(t, groups)
		}
		c.workUntilKilled(t, appends, groups, child, rand.New(rand.NewPCG(uint64(round), 4)))
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	child, _, groups := startConsumedChild(t, dir)
	c.workOff(t, groups)
	_ = child.Process.Kill()
	_ = child.Wait()
	again := 0
	for _, times := range c.handled {
		again += times - 1
	}
	t.Logf("killed %d times: %d events handled, %d of them again, %d parked on the way", n, len(c.handled), again, c.parked)
}

func startConsumedChild(t *testing.T, dir string) (*exec.Cmd, streams.StreamsClient, persistent.PersistentSubscriptionsClient) {
	t.Helper()
	child, conn := startChildConn(t, dir)
	return child, streams.NewStreamsClient(conn), persistent.NewPersistentSubscriptionsClient(conn)
}

func createCompetition(t *testing.T, groups persistent.PersistentSubscriptionsClient) {
	t.Helper()
	_, err := groups.Create(t.Context(), &persistent.CreateReq{Options: &persistent.CreateReq_Options{
		StreamOption: &persistent.CreateReq_Options_Stream{Stream: &persistent.CreateReq_StreamOptions{
			StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(competitionStream)},
			RevisionOption:   &persistent.CreateReq_StreamOptions_End{End: &shared.Empty{}},
		}},
		GroupName: competitionGroup,
		Settings: &persistent.CreateReq_Settings{
			MaxRetryCount: 3, MinCheckpointCount: 1, MaxCheckpointCount: 5, ReadBatchSize: 20, HistoryBufferSize: 100,
			LiveBufferSize: 100, ConsumerStrategy: "RoundRobin",
			MessageTimeout:  &persistent.CreateReq_Settings_MessageTimeoutMs{MessageTimeoutMs: 100},
			CheckpointAfter: &persistent.CreateReq_Settings_CheckpointAfterMs{CheckpointAfterMs: 10},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
}

// workUntilKilled appends and consumes until so much was handled, and kills the
// node in the middle of it.
func (c *competition) workUntilKilled(t *testing.T, appends streams.StreamsClient, groups persistent.PersistentSubscriptionsClient, child *exec.Cmd, rng *rand.Rand) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	after := 20 + rng.Int64N(600)
	var count atomic.Int64
	var all sync.WaitGroup
	all.Go(func() {
		for replayParked(ctx, groups) == nil {
		}
	})
	for range 2 {
		all.Go(func() {
			for {
				batch := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
				if _, err := appendBatch(ctx, appends, competitionStream, batch); err != nil {
					return // the node has gone
				}
				c.mu.Lock()
				for _, id := range batch {
					c.written[id] = true
				}
				c.mu.Unlock()
			}
		})
	}
	for w := range 8 {
		choice := rand.New(rand.NewPCG(rng.Uint64(), uint64(w)))
		all.Go(func() {
			_ = c.consume(ctx, groups, func() answer {
				if count.Add(1) == after {
					_ = child.Process.Kill()
				}
				return answer(choice.IntN(16))
			})
		})
	}
	all.Wait()
	_ = child.Wait()
	if count.Load() < after {
		t.Errorf("only %d of %d events came", count.Load(), after)
	}
}

// workOff handles what is left, parked events too, until all were handled.
func (c *competition) workOff(t *testing.T, groups persistent.PersistentSubscriptionsClient) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- c.consume(ctx, groups, func() answer { return acknowledge }) }()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for left := c.left(); left > 0; left = c.left() {
		select {
		case err := <-done:
			t.Fatalf("%d events were never handled: %v", left, err)
		case <-again.C:
		}
		if err := replayParked(ctx, groups); err != nil {
			t.Fatalf("%d events were never handled: %v", left, err)
		}
	}
	cancel()
	t.Logf("the last consumer ends, as told: %v", <-done)
}

func replayParked(ctx context.Context, groups persistent.PersistentSubscriptionsClient) error {
	_, err := groups.ReplayParked(ctx, &persistent.ReplayParkedReq{Options: &persistent.ReplayParkedReq_Options{
		GroupName:    competitionGroup,
		StreamOption: &persistent.ReplayParkedReq_Options_StreamIdentifier{StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(competitionStream)}},
		StopAtOption: &persistent.ReplayParkedReq_Options_NoLimit{NoLimit: &shared.Empty{}},
	}})
	return err
}

func (c *competition) left() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := 0
	for id := range c.written {
		if c.handled[id] == 0 {
			left++
		}
	}
	return left
}

// answer is what a consumer does with an event; all others are acknowledged.
type answer int

const (
	acknowledge answer = iota
	park
	retry
	ignore
)

func (c *competition) consume(ctx context.Context, groups persistent.PersistentSubscriptionsClient, choose func() answer) error {
	call, err := groups.Read(ctx)
	if err != nil {
		return err
	}
	err = call.Send(&persistent.ReadReq{Content: &persistent.ReadReq_Options_{Options: &persistent.ReadReq_Options{
		StreamOption: &persistent.ReadReq_Options_StreamIdentifier{StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(competitionStream)}},
		GroupName:    competitionGroup, BufferSize: 5,
		UuidOption: &persistent.ReadReq_Options_UUIDOption{Content: &persistent.ReadReq_Options_UUIDOption_String_{String_: &shared.Empty{}}},
	}}})
	for err == nil {
		var resp *persistent.ReadResp
		if resp, err = call.Recv(); err != nil || resp.GetEvent() == nil {
			continue
		}
		err = c.answer(call, resp.GetEvent(), choose())
	}
	return fmt.Errorf("consumer: %w", err)
}

func (c *competition) answer(call persistent.PersistentSubscriptions_ReadClient, e *persistent.ReadResp_ReadEvent, a answer) error {
	original := e.GetEvent()
	if e.GetLink() != nil {
		original = e.GetLink()
	}
	ids := []*shared.UUID{original.GetId()}
	nack := func(action persistent.ReadReq_Nack_Action) error {
		return call.Send(&persistent.ReadReq{Content: &persistent.ReadReq_Nack_{Nack: &persistent.ReadReq_Nack{Ids: ids, Action: action}}})
	}
	switch a {
	case park:
		c.mu.Lock()
		c.parked++
		c.mu.Unlock()
		return nack(persistent.ReadReq_Nack_Park)
	case retry:
		return nack(persistent.ReadReq_Nack_Retry)
	case ignore:
		return nil
	case acknowledge:
	}
	id := uuid.MustParse(e.GetEvent().GetId().GetString_())
	c.mu.Lock()
	c.handled[id]++
	c.mu.Unlock()
	return call.Send(&persistent.ReadReq{Content: &persistent.ReadReq_Ack_{Ack: &persistent.ReadReq_Ack{Ids: ids}}})
}
