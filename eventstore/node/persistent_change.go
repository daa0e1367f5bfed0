package node

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"portal.example/eventstore/node/journal"
)

// This file makes, changes and ends groups.

// change makes a change to the groups, alone. Once begun it is carried through,
// whether or not the client waits for it: half of one would show after a restart.
func (s *persistentService) change(ctx context.Context, do func(ctx context.Context) error) error {
	release, err := s.settled(ctx)
	if err != nil {
		return fail(ctx, err)
	}
	defer release()
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.changeLimit)
	defer cancel()
	return fail(ctx, do(whole))
}

// changeLimit is for a disk that has no room: a node that stops does not wait for
// that.
const changeLimit = 10 * time.Second

// Create makes a group.
func (s *persistentService) Create(ctx context.Context, req *persistent.CreateReq) (*persistent.CreateResp, error) {
	entry, at, err := createdGroup(req.GetOptions())
	if err != nil {
		return nil, fail(ctx, err)
	}
	if err := s.change(ctx, func(ctx context.Context) error { return s.create(ctx, entry, at) }); err != nil {
		return nil, err
	}
	return &persistent.CreateResp{}, nil
}

func (s *persistentService) create(ctx context.Context, entry storedGroup, at startPoint) error {
	if err := s.mayBegin(entry.key()); err != nil {
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

// mayBegin says why no group of this key can be made, where none can.
func (s *persistentService) mayBegin(key groupKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.broken != nil:
		return groupFailed(key, s.broken.Error())
	case s.groups[key.String()] != nil:
		return groupExists(key)
	case len(s.groups) >= maxGroups:
		return status.Errorf(codes.ResourceExhausted, "persistent subscriptions: there are %d, which is the most that there may be", maxGroups)
	}
	return nil
}

// Update gives a group other settings. Its consumers have to subscribe anew.
func (s *persistentService) Update(ctx context.Context, req *persistent.UpdateReq) (*persistent.UpdateResp, error) {
	entry, at, err := updatedGroup(req.GetOptions())
	if err != nil {
		return nil, fail(ctx, err)
	}
	if err := s.change(ctx, func(ctx context.Context) error { return s.update(ctx, entry, at) }); err != nil {
		return nil, err
	}
	return &persistent.UpdateResp{}, nil
}

func (s *persistentService) update(ctx context.Context, entry storedGroup, at startPoint) error {
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
	s.stop(old)
	return s.start(entry)
}

// Delete ends a group and forgets where it was and what it had parked.
func (s *persistentService) Delete(ctx context.Context, req *persistent.DeleteReq) (*persistent.DeleteResp, error) {
	o := req.GetOptions()
	key, err := keyOf(o.GetStreamIdentifier(), o.GetAll() != nil, o.GetGroupName())
	if err != nil {
		return nil, fail(ctx, err)
	}
	if err := s.change(ctx, func(ctx context.Context) error { return s.delete(ctx, key) }); err != nil {
		return nil, err
	}
	return &persistent.DeleteResp{}, nil
}

func (s *persistentService) delete(ctx context.Context, key groupKey) error {
	g, err := s.find(key)
	if err != nil {
		return err
	}
	// The checkpoint goes first: a group of the same name must not find it, and
	// a group without it only does again what was done.
	s.stop(g)
	for _, stream := range []string{checkpointStream(key), parkedStream(key)} {
		var (
			missing *journal.WrongExpected
			gone    *journal.StreamDeleted
		)
		_, err := s.journal.Delete(ctx, stream, journal.Any)
		if err != nil && !errors.As(err, &missing) && !errors.As(err, &gone) {
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
	if err := s.change(ctx, func(context.Context) error {
		s.stop(s.all()...)
		err := s.startStored()
		s.mu.Lock()
		s.broken = err
		s.mu.Unlock()
		if err != nil {
			return groupFailed(groupKey{}, err.Error())
		}
		return nil
	}); err != nil {
		return nil, err
	}
	return &shared.Empty{}, nil
}
