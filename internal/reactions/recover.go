package reactions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"portal.example/eventstore"
	"portal.example/eventstore/pubsub"
	"portal.example/internal/bookmark"
)

// The log and Postgres are backed up one after the other, and restored together
// or one of them alone. What does not fit then is put right when a reactor starts:
//
//   - Postgres is older than the log: groups have gone past events whose jobs are
//     lost. So Postgres knows up to where it has the jobs of all events (a bookmark
//     for each reaction), and what came later leaves a job again unless it has one.
//   - The log is older than Postgres: jobs are done whose effect is lost. The log
//     notes that it was restored, and as of when it is; what was done since is done
//     again, and a job about an event that is lost goes.
//
// Neither can do harm, because a reaction decides on the present state.

// recover puts right what a restored log or database has left; without either it
// finds next to nothing to do.
func (r *Reactor) recover(ctx context.Context) error {
	if err := r.Prepare(ctx); err != nil {
		return err
	}
	restores, err := r.restores(ctx)
	if err != nil {
		return err
	}
	last := uuid.Nil
	if n := len(restores); n > 0 {
		last = restores[n-1].id
	}
	// The last restore for which all was put right. Where it is not known, as at
	// the very first start, or as the operator deletes it, there may be much to do.
	mark := &bookmark.Bookmark{DB: r.config.Pool, Follower: "reactions"}
	place, known, err := mark.Load(ctx)
	if err != nil {
		return err
	}
	asBefore := known && place.Log == last
	if !asBefore && last != uuid.Nil {
		if err := r.doAgain(ctx, oldest(restores, place.Log).Add(-clocks)); err != nil {
			return err
		}
	}
	for _, reaction := range r.config.Reactions {
		// Without Due there are jobs for what failed only. Which those were is not
		// known, and acting on the others again is kept for when it is needed.
		if reaction.Due == nil && asBefore {
			continue
		}
		if err := r.wakeAgain(ctx, reaction); err != nil {
			return fmt.Errorf("%s: %w", reaction.Name, err)
		}
	}
	if asBefore {
		return nil
	}
	return mark.Put(ctx, bookmark.Place{Log: last})
}

// clocks is how far the clocks of the machines may be apart that a time comes from.
const clocks = 10 * time.Minute

// restore is an event that notes a restore of the log, and when the backup was taken.
type restore struct {
	id      uuid.UUID
	takenAt time.Time
}

// restores are all that the log knows of, in order.
func (r *Reactor) restores(ctx context.Context) (all []restore, err error) {
	for e, err := range r.config.Client.ReadStream(ctx, eventstore.RestoresStream, 0) {
		// EventStoreDB notes no restore, and shows no system stream to everybody.
		if errors.Is(err, eventstore.ErrStreamNotFound) || errors.Is(err, eventstore.ErrAccessDenied) {
			break
		}
		if err != nil {
			return nil, err
		}
		var note struct {
			TakenAt time.Time `json:"takenAt"`
		}
		if err := json.Unmarshal(e.Data, &note); err != nil {
			return nil, fmt.Errorf("event %d of %s: %w", e.Revision, e.Stream, err)
		}
		all = append(all, restore{e.ID, note.TakenAt})
	}
	return all, nil
}

// oldest is when the oldest backup was taken of those that were restored after the
// one for which all was put right.
func oldest(restores []restore, done uuid.UUID) time.Time {
	after := restores[slices.IndexFunc(restores, func(r restore) bool { return r.id == done })+1:]
	return slices.MinFunc(after, func(a, b restore) int { return a.takenAt.Compare(b.takenAt) }).takenAt
}

// doAgain makes jobs available that were done since a moment, and deletes those
// about events that the log does not have.
func (r *Reactor) doAgain(ctx context.Context, since time.Time) error {
	if time.Since(since) > keepDone {
		r.config.Logger.WarnContext(ctx, "the backup of the log is so old that jobs done after it may be forgotten", "since", since, "kept", keepDone)
	}
	queue, err := NewQueue(r.jobs.pool)
	if err != nil {
		return err
	}
	wanted := river.NewJobListParams().Kinds(jobArgs{}.Kind()).
		Where("(created_at >= @since OR finalized_at >= @since)", river.NamedArgs{"since": since})
	again, gone := 0, 0
	for row, err := range queue.list(ctx, wanted) {
		if err != nil {
			return err
		}
		var args jobArgs
		if err := json.Unmarshal(row.EncodedArgs, &args); err != nil {
			return fmt.Errorf("reactions: job %d: %w", row.ID, err)
		}
		_, found, err := args.Event.Find(ctx, r.config.Client)
		switch {
		case err != nil:
			return err
		case !found:
			gone++
			err = queue.Forget(ctx, row.ID)
			if errors.Is(err, rivertype.ErrJobRunning) { // or was, when its instance ended: it finds nothing to do
				err = nil
			}
		case row.State == rivertype.JobStateCompleted:
			again++
			err = queue.Retry(ctx, row.ID)
		}
		if err != nil {
			return err
		}
	}
	r.config.Logger.InfoContext(ctx, "the log was restored: jobs done since are done again, those about lost events are deleted",
		"since", since, "again", again, "deleted", gone)
	return nil
}

// wakeAgain leaves jobs for the events of which Postgres may not have had any, and
// which have none.
func (r *Reactor) wakeAgain(ctx context.Context, reaction Reaction) error {
	r.mu.Lock()
	gap, known := r.gaps[reaction.Name]
	r.mu.Unlock()
	if !known {
		return errors.New("it was not prepared yet")
	}
	if gap.from.Compare(gap.to) >= 0 {
		return nil
	}
	source := r.config.Client.Subscribe(ctx, eventstore.SubscribeOptions{
		From: gap.from, Filter: eventstore.TypeMatches("^" + regexp.QuoteMeta(reaction.Event) + "$"),
	})
	defer source.Close()
	for {
		notices, err := source.NextBatch(ctx, page)
		if err != nil {
			return err
		}
		for i := range notices {
			n := &notices[i]
			if n.Kind == eventstore.CaughtUp || n.Position.Compare(gap.to) > 0 {
				return nil
			}
			if n.Kind != eventstore.EventAppeared {
				continue
			}
			e, origin, err := eventOf(&n.Event)
			if err != nil || origin == eventstore.OriginImport {
				continue // it was parked, or woke nobody
			}
			if err := r.jobs.leave(ctx, reaction, e, time.Time{}); err != nil {
				return err
			}
		}
	}
}

func (r *Reactor) bookmark(reaction Reaction) *bookmark.Bookmark {
	return &bookmark.Bookmark{DB: r.config.Pool, Follower: "reactions." + reaction.Name}
}

// gap is a part of the log of which Postgres may not have had all jobs.
type gap struct{ from, to eventstore.Position }

// look finds the gap that a reaction begins with, once: what happens from then on
// wakes it. Where it is new, there is none, and neither is where the log ends
// before the bookmark: what the group has gone past there has its jobs. Where the
// group is older than Postgres, which knows nothing of it, all of the log is the gap.
func (r *Reactor) look(ctx context.Context, reaction Reaction) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.gaps[reaction.Name]; known {
		return nil
	}
	mark := r.bookmark(reaction)
	from, known, err := mark.Load(ctx)
	if err != nil {
		return err
	}
	end, err := bookmark.End(ctx, r.config.Client)
	if err != nil {
		return err
	}
	switch {
	case known:
		from, err = from.Verify(ctx, r.config.Client)
	default:
		if known, err = r.hasGroup(ctx, reaction); err != nil {
			return err
		}
	}
	if !known || errors.Is(err, bookmark.ErrOtherLog) {
		from, err = end, mark.Put(ctx, end)
	}
	if err == nil {
		r.gaps[reaction.Name] = gap{from.Position, end.Position}
	}
	return err
}

// hasGroup tells whether the reaction has run on this log before.
func (r *Reactor) hasGroup(ctx context.Context, reaction Reaction) (bool, error) {
	group, err := pubsub.GroupOf(pubsub.TypeTopic(reaction.Event), reaction.Name)
	if err != nil {
		return false, err
	}
	_, err = r.config.Client.InspectGroup(ctx, group)
	if errors.Is(err, eventstore.ErrGroupNotFound) {
		return false, nil
	}
	return err == nil, err
}

// markEvery is how often it is noted how far groups have come.
const markEvery = 10 * time.Second

// mark notes, until ctx ends, how far groups have come: the jobs of all before
// were left before it was acknowledged. It may lag behind at will.
func (r *Reactor) mark(ctx context.Context) error {
	again := time.NewTicker(markEvery)
	defer again.Stop()
	written := map[string]eventstore.Position{}
	for {
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil
		}
		for _, reaction := range r.config.Reactions {
			group, err := pubsub.GroupOf(pubsub.TypeTopic(reaction.Event), reaction.Name)
			if err != nil {
				return err
			}
			info, err := r.config.Client.InspectGroup(ctx, group)
			if err != nil {
				return err
			}
			if info.Done == eventstore.Start() || info.Done == written[reaction.Name] {
				continue
			}
			log, err := bookmark.LogID(ctx, r.config.Client)
			if err == nil {
				err = r.bookmark(reaction).Put(ctx, bookmark.Place{Log: log, Position: info.Done})
			}
			if err != nil {
				return err
			}
			written[reaction.Name] = info.Done
		}
	}
}
