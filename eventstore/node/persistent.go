package node

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"golang.org/x/sync/semaphore"

	"portal.example/eventstore/node/journal"
)

// persistentService is EventStoreDB's PersistentSubscriptions service on a
// journal. It knows the groups; each runs by itself, in a consumerGroup.
//
// Groups are told apart by stream and name, and outlive the process through
// what is written about them in system streams: their settings in configStream,
// where each is to go on from in its -checkpoint stream, and links to what
// consumers could not deal with in its -parked stream.
type persistentService struct {
	persistent.UnimplementedPersistentSubscriptionsServer
	journal *journal.Journal
	alive   context.Context //nolint:containedctx // ends when the node stops, which groups watch
	log     *slog.Logger
	memory  *groupMemory

	changeLimit time.Duration

	// changing is held while groups are made, changed and ended, which takes as
	// long as the disk does. Whoever looks for a group waits for that.
	changing *semaphore.Weighted

	mu      sync.Mutex                // guards what follows
	groups  map[string]*consumerGroup // by the texts of their keys
	broken  error                     // why the stored settings could not be read
	closed  bool                      // no more groups start
	running sync.WaitGroup
}

// maxGroups bounds the groups: each wakes up when anything is appended.
const maxGroups = 1000

// groupMemory is shared by all groups for the events that they hold, waiting or
// in flight.
type groupMemory struct{ groups atomic.Int64 }

const (
	groupsHold   = 256 << 20 // bytes, all groups together
	groupMayHold = 32 << 20  // one group, where there are few
)

// share is how many bytes of events a group may hold, about.
func (m *groupMemory) share() int {
	return min(groupsHold/int(max(m.groups.Load(), 1)), groupMayHold)
}

// groupKey tells groups apart. The stream is $all for groups of the whole log.
// The names of streams in which a group leaves its state are made of the key's
// text, so that no two groups may have the same, such as a::b of c and b of c::a.
type groupKey struct{ stream, name string }

const allStream = "$all"

func (k groupKey) String() string { return k.stream + "::" + k.name }

func newPersistentService(alive context.Context, j *journal.Journal, log *slog.Logger) *persistentService {
	s := &persistentService{
		journal: j, alive: alive, log: log, memory: &groupMemory{}, changeLimit: changeLimit,
		changing: semaphore.NewWeighted(1), groups: map[string]*consumerGroup{},
	}
	if s.broken = s.startStored(); s.broken != nil {
		log.Error("there are no persistent subscriptions", "error", s.broken)
	}
	s.running.Go(s.wakeGroups)
	return s
}

// wait returns when every group has stopped, after alive has ended.
func (s *persistentService) wait() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.running.Wait()
}

// wakeGroups tells all groups when there are new events, so that each need not
// wait by itself.
func (s *persistentService) wakeGroups() {
	for head := s.journal.Head(); s.journal.Wait(s.alive, head) == nil; {
		head = s.journal.Head()
		for _, g := range s.all() {
			g.wake()
		}
	}
}

func (s *persistentService) all() []*consumerGroup {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.groups))
}

// settled waits until no group is being made, changed or ended, and keeps it so
// until the returned function is called.
func (s *persistentService) settled(ctx context.Context) (release func(), err error) {
	if err := s.changing.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	return func() { s.changing.Release(1) }, nil
}

// await returns a group that is there, when it is settled which are.
func (s *persistentService) await(ctx context.Context, key groupKey) (*consumerGroup, error) {
	release, err := s.settled(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	return s.find(key)
}

// find returns a group that is there.
func (s *persistentService) find(key groupKey) (*consumerGroup, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[key.String()]
	switch {
	case s.broken != nil:
		return nil, groupFailed(key, s.broken.Error())
	case s.alive.Err() != nil:
		return nil, errStopping
	case g == nil || g.key != key:
		return nil, noGroup(key)
	}
	return g, nil
}

// startStored starts the groups that the log knows.
func (s *persistentService) startStored() error {
	stored, err := loadGroups(s.alive, s.journal)
	if err != nil {
		return err
	}
	for _, entry := range stored {
		if err := s.start(entry); err != nil {
			return err
		}
	}
	return nil
}

func (s *persistentService) start(entry storedGroup) error {
	g, err := newConsumerGroup(s.alive, s.journal, s.memory, s.log, entry)
	if err != nil {
		return fmt.Errorf("persistent subscription %s: %w", entry.key(), err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		g.stop(errStopping)
		return errStopping
	}
	s.groups[g.key.String()] = g
	s.memory.groups.Store(int64(len(s.groups)))
	ticker := time.NewTicker(groupTick)
	s.running.Go(func() {
		defer ticker.Stop()
		g.run(ticker.C)
	})
	return nil
}

// groupTick is how often a group looks for messages that have timed out and
// for a checkpoint that is due.
const groupTick = 100 * time.Millisecond

// stop ends groups, tells their consumers so, and returns when nothing of them
// will be written any more.
func (s *persistentService) stop(groups ...*consumerGroup) {
	for _, g := range groups {
		g.stop(groupDropped(g.key))
	}
	for _, g := range groups {
		<-g.done
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range groups {
		delete(s.groups, g.key.String())
	}
	s.memory.groups.Store(int64(len(s.groups)))
}

// stored is what is to be written about all groups.
func (s *persistentService) stored() []storedGroup {
	var entries []storedGroup
	for _, g := range s.all() {
		entries = append(entries, g.stored)
	}
	slices.SortFunc(entries, func(a, b storedGroup) int {
		return strings.Compare(a.key().String(), b.key().String())
	})
	return entries
}

// ReplayParked hands parked messages out again.
func (s *persistentService) ReplayParked(ctx context.Context, req *persistent.ReplayParkedReq) (*persistent.ReplayParkedResp, error) {
	o := req.GetOptions()
	key, err := keyOf(o.GetStreamIdentifier(), o.GetAll() != nil, o.GetGroupName())
	if err == nil {
		err = s.replay(ctx, key, o)
	}
	if err != nil {
		return nil, fail(ctx, err)
	}
	return &persistent.ReplayParkedResp{}, nil
}

func (s *persistentService) replay(ctx context.Context, key groupKey, o *persistent.ReplayParkedReq_Options) error {
	stopAt := uint64(math.MaxInt64)
	switch limit := o.GetStopAtOption().(type) {
	case *persistent.ReplayParkedReq_Options_StopAt:
		if limit.StopAt < 0 {
			return groupFailed(key, "Cannot stop replaying parked message at a negative version.")
		}
		stopAt = uint64(limit.StopAt)
	case *persistent.ReplayParkedReq_Options_NoLimit:
	default:
		return invalid("replay of parked messages: neither where to stop nor that there is no limit")
	}
	g, err := s.await(ctx, key)
	if err != nil {
		return err
	}
	return g.ask(ctx, func() { g.parked.replay(stopAt) })
}
