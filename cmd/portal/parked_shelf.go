package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"portal.example/eventstore"
	"portal.example/eventstore/node"
	"portal.example/internal/database"
	"portal.example/internal/reactions"
)

// where something is parked.
type where string

const (
	inLog  where = "log"
	inJobs where = "jobs"
)

// shelf is one place where events are parked: a group of the log, or the jobs of a
// reaction.
type shelf interface {
	// items yields what is parked, in the order of the numbers, fetched bit by bit.
	items(ctx context.Context) iter.Seq2[parkedItem, error]
	// picks tells whether one can be taken that is not the oldest.
	picks() bool
	// retry has all tried again that are chosen.
	retry(ctx context.Context, c chosen) error
	// discard forgets all that are chosen, each after it was recorded.
	discard(ctx context.Context, c chosen, record func(parkedItem) error) error
}

// chosen are the messages of a shelf from one number to another.
type chosen struct {
	first, last uint64
	count       int
}

// of yields those of a shelf's items that are chosen.
func (c chosen) of(items iter.Seq2[parkedItem, error]) iter.Seq2[parkedItem, error] {
	return func(yield func(parkedItem, error) bool) {
		for item, err := range items {
			if err == nil && item.Number < c.first {
				continue
			}
			if err == nil && item.Number > c.last || !yield(item, err) {
				return
			}
		}
	}
}

// shelves are all of them.
type shelves struct {
	log   *eventstore.Client
	queue *reactions.Queue // nil: there is no DATABASE_URL
	errs  io.Writer
}

// withShelves opens the log and, where DATABASE_URL is set, the database.
func withShelves(cmd *cobra.Command, as func(node.Access) string, do func(context.Context, *shelves) error) error {
	return withLogAs(cmd, as, func(ctx context.Context, log *eventstore.Client) error {
		all := &shelves{log: log, errs: cmd.ErrOrStderr()}
		url := os.Getenv("DATABASE_URL")
		if url == "" {
			return do(ctx, all)
		}
		pool, err := database.Open(ctx, url)
		if err != nil {
			return misusef("DATABASE_URL: %w", err)
		}
		defer pool.Close()
		if all.queue, err = reactions.NewQueue(pool); err != nil {
			return err
		}
		return do(ctx, all)
	})
}

// groups are all shelves with how much is on them.
func (s *shelves) groups(ctx context.Context) (list []parkedGroup, err error) {
	groups, err := s.log.Groups(ctx)
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		group := parkedGroup{Group: groupText(g), Where: inLog}
		for m, err := range s.log.Parked(ctx, g) {
			if err != nil {
				return nil, err
			}
			if group.Parked++; group.Oldest == nil {
				at := m.Link.Created.UTC()
				group.Oldest = &at
			}
		}
		list = append(list, group)
	}
	if s.queue == nil {
		fmt.Fprintln(s.errs, "DATABASE_URL is not set: jobs that were given up are not listed")
		return list, nil
	}
	accounts, err := s.queue.Accounts(ctx)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	for _, a := range accounts {
		list = append(list, parkedGroup{Group: a.Reaction, Where: inJobs, Parked: a.GivenUp, Oldest: a.Oldest, Retrying: a.Retrying})
	}
	return list, nil
}

// named is the shelf that is called so. Groups of reactions have a colon in their
// names, and reactions have none.
func (s *shelves) named(ctx context.Context, text string) (shelf, error) {
	groups, err := s.log.Groups(ctx)
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		if groupText(g) == text {
			return logShelf{s.log, g}, nil
		}
	}
	if s.queue == nil {
		return nil, fmt.Errorf("there is no group %.200q; parked list names those that there are, and with DATABASE_URL those of jobs", text)
	}
	accounts, err := s.queue.Accounts(ctx)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	for _, a := range accounts {
		if a.Reaction == text {
			return jobShelf{s.log, s.queue, text}, nil
		}
	}
	return nil, fmt.Errorf("there is no group %.200q; parked list names those that there are", text)
}

// groupText is what a group is called on the command line.
func groupText(g eventstore.Group) string {
	if g.Stream == "" {
		return g.Name
	}
	return g.Stream + "::" + g.Name
}

// logShelf is what a group has parked.
type logShelf struct {
	log   *eventstore.Client
	group eventstore.Group
}

func (s logShelf) items(ctx context.Context) iter.Seq2[parkedItem, error] {
	return func(yield func(parkedItem, error) bool) {
		for m, err := range s.log.Parked(ctx, s.group) {
			if !yield(s.item(m), err) {
				return
			}
		}
	}
}

func (s logShelf) item(m eventstore.ParkedMessage) parkedItem {
	i := parkedItem{
		Number: m.Link.Revision, Where: inLog, Parked: m.Link.Created.UTC(), Stream: m.Stream, Revision: m.Revision,
		key:  s.group.ParkedStream() + "\x00" + strconv.FormatUint(m.Link.Revision, 10),
		find: func(ctx context.Context) (eventstore.Recorded, bool, error) { return parkedEvent(ctx, s.log, m) },
	}
	i.Reason, i.Stack = splitStack(m.Reason)
	if count := retryCount.FindStringSubmatch(m.Reason); count != nil {
		if retries, err := strconv.Atoi(count[1]); err == nil {
			i.Attempts = retries + 1
		}
	}
	return i
}

// retryCount is how the log says why it parked by itself.
var retryCount = regexp.MustCompile(`^Reached retry count of (\d+)$`)

// splitStack takes apart what Watermill's Recoverer makes of a panic.
func splitStack(reason string) (text, stack string) {
	text, stack, _ = strings.Cut(reason, ", stacktrace: \n")
	return text, strings.TrimSpace(stack)
}

// parkedEvent is the event that was parked, or what is left of it, the link; false
// where the log does not have it any more.
func parkedEvent(ctx context.Context, log *eventstore.Client, m eventstore.ParkedMessage) (eventstore.Recorded, bool, error) {
	for e, err := range log.ReadStream(ctx, m.Stream, m.Revision) {
		if errors.Is(err, eventstore.ErrStreamNotFound) || errors.Is(err, eventstore.ErrStreamDeleted) {
			break
		}
		if err != nil || e.Revision == m.Revision {
			return e, err == nil, err
		}
		break
	}
	return m.Link, false, nil
}

func (logShelf) picks() bool { return false }

func (s logShelf) retry(ctx context.Context, c chosen) error {
	return s.log.ReplayParkedBefore(ctx, s.group, c.last+1)
}

func (s logShelf) discard(ctx context.Context, c chosen, record func(parkedItem) error) error {
	for item, err := range c.of(s.items(ctx)) {
		if err == nil {
			err = record(item)
		}
		if err != nil {
			return err
		}
	}
	return s.log.DiscardParkedBefore(ctx, s.group, c.last+1)
}

// jobShelf is what was given up of the jobs of a reaction.
type jobShelf struct {
	log      *eventstore.Client
	queue    *reactions.Queue
	reaction string
}

func (s jobShelf) items(ctx context.Context) iter.Seq2[parkedItem, error] {
	return func(yield func(parkedItem, error) bool) {
		for g, err := range s.queue.GivenUp(ctx, s.reaction) {
			item := parkedItem{
				Number: uint64(g.Job), Where: inJobs, Parked: g.At.UTC(), Stream: g.Event.Stream, Revision: g.Event.Revision,
				Reason: g.Reason, Stack: g.Stack, Attempts: g.Attempts,
				key:  "jobs\x00" + strconv.FormatInt(g.Job, 10),
				find: func(ctx context.Context) (eventstore.Recorded, bool, error) { return givenUpEvent(ctx, s.log, g.Event) },
			}
			if !yield(item, err) {
				return
			}
		}
	}
}

// givenUpEvent is the event of a job, or what the job knows of it; false where the
// log does not have it.
func givenUpEvent(ctx context.Context, log *eventstore.Client, e reactions.Event) (eventstore.Recorded, bool, error) {
	found, is, err := e.Find(ctx, log)
	if is || err != nil {
		return found, is, err
	}
	metadata, err := json.Marshal(about{e.Business, e.CorrelationID})
	return eventstore.Recorded{ID: e.ID, Type: e.Type, Stream: e.Stream, Revision: e.Revision, Metadata: metadata}, false, err
}

func (jobShelf) picks() bool { return true }

func (s jobShelf) retry(ctx context.Context, c chosen) error {
	return s.each(ctx, c, s.queue.Retry, func(parkedItem) error { return nil })
}

func (s jobShelf) discard(ctx context.Context, c chosen, record func(parkedItem) error) error {
	return s.each(ctx, c, s.queue.Forget, record)
}

func (s jobShelf) each(ctx context.Context, c chosen, do func(context.Context, int64) error, before func(parkedItem) error) error {
	for item, err := range c.of(s.items(ctx)) {
		if err == nil {
			err = before(item)
		}
		if err == nil {
			err = do(ctx, int64(item.Number))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
