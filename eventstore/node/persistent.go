package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"

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
	broken  error // why the stored settings could not be read

	changing sync.Mutex // held while groups are made, changed and ended
	mu       sync.Mutex // guards groups
	groups   map[groupKey]*consumerGroup
	running  sync.WaitGroup
}

// groupKey tells groups apart. The stream is $all for groups of the whole log.
type groupKey struct{ stream, name string }

const allStream = "$all"

func (k groupKey) String() string { return k.stream + "::" + k.name }

func newPersistentService(alive context.Context, j *journal.Journal, log *slog.Logger) *persistentService {
	s := &persistentService{journal: j, alive: alive, log: log, groups: map[groupKey]*consumerGroup{}}
	if s.broken = s.startStored(); s.broken != nil {
		log.Error("there are no persistent subscriptions", "error", s.broken)
	}
	s.running.Go(s.wakeGroups)
	return s
}

// wait returns when every group has stopped, after alive has ended.
func (s *persistentService) wait() { s.running.Wait() }

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

// find returns a group that is there.
func (s *persistentService) find(key groupKey) (*consumerGroup, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[key]
	switch {
	case s.broken != nil:
		return nil, groupFailed(key, s.broken.Error())
	case s.alive.Err() != nil:
		return nil, errStopping
	case g == nil:
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
	g, err := newConsumerGroup(s.alive, s.journal, s.log, entry)
	if err != nil {
		return fmt.Errorf("persistent subscription %s: %w", entry.key(), err)
	}
	s.mu.Lock()
	s.groups[entry.key()] = g
	s.mu.Unlock()
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

// stop ends a group and tells its consumers why.
func (s *persistentService) stop(g *consumerGroup, why error) {
	g.stop(why)
	<-g.done
	s.mu.Lock()
	delete(s.groups, g.key)
	s.mu.Unlock()
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

// Create makes a group.
func (s *persistentService) Create(ctx context.Context, req *persistent.CreateReq) (*persistent.CreateResp, error) {
	entry, at, err := createdGroup(req.GetOptions())
	if err == nil {
		err = s.create(ctx, entry, at)
	}
	if err != nil {
		return nil, fail(ctx, err)
	}
	return &persistent.CreateResp{}, nil
}

func (s *persistentService) create(ctx context.Context, entry storedGroup, at startPoint) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	_, err := s.find(entry.key())
	switch {
	case err == nil:
		return groupExists(entry.key())
	case !isNoGroup(err):
		return err
	}
	if err := entry.begin(s.journal, at); err != nil {
		return err
	}
	if err := saveGroups(ctx, s.journal, append(s.stored(), entry)); err != nil {
		return err
	}
	return s.start(entry)
}

// Update gives a group other settings. Its consumers have to subscribe anew.
func (s *persistentService) Update(ctx context.Context, req *persistent.UpdateReq) (*persistent.UpdateResp, error) {
	entry, at, err := updatedGroup(req.GetOptions())
	if err == nil {
		err = s.update(ctx, entry, at)
	}
	if err != nil {
		return nil, fail(ctx, err)
	}
	return &persistent.UpdateResp{}, nil
}

func (s *persistentService) update(ctx context.Context, entry storedGroup, at startPoint) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	old, err := s.find(entry.key())
	if err != nil {
		return err
	}
	entry.Filter = old.stored.Filter
	if at.text(entry.Stream) == old.stored.StartPosition {
		entry.StartPosition, entry.From = old.stored.StartPosition, old.stored.From // the same start, not the end as of now
	} else if err := entry.begin(s.journal, at); err != nil {
		return err
	}
	others := slices.DeleteFunc(s.stored(), func(e storedGroup) bool { return e.key() == entry.key() })
	if err := saveGroups(ctx, s.journal, append(others, entry)); err != nil {
		return err
	}
	s.stop(old, groupDropped(old.key))
	return s.start(entry)
}

// Delete ends a group and forgets where it was and what it had parked.
func (s *persistentService) Delete(ctx context.Context, req *persistent.DeleteReq) (*persistent.DeleteResp, error) {
	o := req.GetOptions()
	key, err := keyOf(o.GetStreamIdentifier(), o.GetAll() != nil, o.GetGroupName())
	if err == nil {
		err = s.delete(ctx, key)
	}
	if err != nil {
		return nil, fail(ctx, err)
	}
	return &persistent.DeleteResp{}, nil
}

func (s *persistentService) delete(ctx context.Context, key groupKey) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	g, err := s.find(key)
	if err != nil {
		return err
	}
	// The checkpoint goes first: a group of the same name must not find it, and
	// a group without it only does again what was done.
	s.stop(g, groupDropped(key))
	for _, stream := range []string{checkpointStream(key), parkedStream(key)} {
		var missing *journal.WrongExpected
		if _, err := s.journal.Delete(ctx, stream, journal.Any); err != nil && !errors.As(err, &missing) {
			return errors.Join(err, s.start(g.stored))
		}
	}
	if err := saveGroups(ctx, s.journal, s.stored()); err != nil {
		return errors.Join(err, s.start(g.stored))
	}
	return nil
}

// RestartSubsystem ends all groups and starts them as the log knows them.
func (s *persistentService) RestartSubsystem(ctx context.Context, _ *shared.Empty) (*shared.Empty, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	for _, g := range s.all() {
		s.stop(g, groupDropped(g.key))
	}
	err := s.startStored()
	s.mu.Lock()
	s.broken = err
	s.mu.Unlock()
	if err != nil {
		return nil, fail(ctx, groupFailed(groupKey{}, err.Error()))
	}
	return &shared.Empty{}, nil
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
	g, err := s.find(key)
	if err != nil {
		return err
	}
	return g.ask(ctx, func() { g.parked.replay(stopAt) })
}
