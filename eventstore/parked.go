package eventstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
)

// ParkedMessage is an event that a group has set aside: a link in the group's
// ParkedStream.
type ParkedMessage struct {
	Link     Recorded // its Revision is the message's number, and Created when it was parked
	Stream   string   // of the event
	Revision uint64
	Reason   string // as far as the log knows it
}

// Groups are all groups of the log.
func (c *Client) Groups(ctx context.Context) ([]Group, error) {
	groups, err := call(ctx, c, operation{name: "list groups"}, func(ctx context.Context, db *esdb.Client) (groups []Group, err error) {
		told, err := db.ListAllPersistentSubscriptions(ctx, esdb.ListPersistentSubscriptionsOptions{})
		if err != nil {
			return nil, groupProblem(err)
		}
		for _, g := range told {
			stream := g.EventSource
			if stream == "$all" {
				stream = ""
			}
			groups = append(groups, Group{Stream: stream, Name: g.GroupName})
		}
		return groups, nil
	})
	if errors.Is(err, ErrGroupNotFound) { // how some servers say that there are none
		return nil, nil
	}
	return groups, err
}

// byConsumer is what the log puts before the reason that a consumer gives.
const byConsumer = "Client explicitly NAK'ed message.\n"

// Parked yields what the group has parked, the oldest first, together with what
// is being tried again and not yet dealt with.
func (c *Client) Parked(ctx context.Context, group Group) iter.Seq2[ParkedMessage, error] {
	return func(yield func(ParkedMessage, error) bool) {
		for link, err := range c.ReadStream(ctx, group.ParkedStream(), 0) {
			if errors.Is(err, ErrStreamNotFound) || errors.Is(err, ErrStreamDeleted) {
				return // nothing was ever parked
			}
			if err != nil {
				yield(ParkedMessage{}, err)
				return
			}
			m, err := parkedMessage(link)
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

func parkedMessage(link Recorded) (m ParkedMessage, err error) {
	m.Link = link
	var why struct {
		Reason string `json:"reason"`
	}
	if json.Unmarshal(link.Metadata, &why) == nil { // whoever parks otherwise gives no reason
		m.Reason = strings.TrimPrefix(why.Reason, byConsumer)
	}
	revision, stream, found := strings.Cut(string(link.Data), "@")
	if m.Revision, err = strconv.ParseUint(revision, 10, 64); err != nil || !found {
		return m, fmt.Errorf("eventstore: event %d of %s is no link", link.Revision, link.Stream)
	}
	m.Stream = stream
	return m, nil
}

// ReplayParkedBefore has the group try everything again that it has parked before
// this number, which is not 0. The log goes from the oldest on; it does not offer
// to pick one.
func (c *Client) ReplayParkedBefore(ctx context.Context, group Group, number uint64) error {
	op := group.operation("replay what was parked by")
	if err := group.check(); err != nil || number == 0 {
		return op.fail(ErrInvalid, errors.Join(err, errors.New("a number is needed")))
	}
	return c.replayParked(ctx, group, op, esdb.ReplayParkedMessagesOptions{StopAt: int(number)})
}

// DiscardParkedBefore forgets everything that the group has parked before this
// number, by cutting off the beginning of the ParkedStream as the log does it.
// What is being tried again at the moment may still be dealt with.
func (c *Client) DiscardParkedBefore(ctx context.Context, group Group, number uint64) error {
	stream := "$$" + group.ParkedStream()
	for {
		expected, metadata := NoStream(), map[string]json.RawMessage{}
		for e, err := range c.ReadStream(ctx, stream, 0) {
			if errors.Is(err, ErrStreamNotFound) {
				break
			}
			if err != nil {
				return err
			}
			expected, metadata = Exactly(e.Revision), map[string]json.RawMessage{}
			if err := json.Unmarshal(e.Data, &metadata); err != nil {
				return operation{"read", stream}.fail(ErrFault, err)
			}
		}
		var already uint64
		if begin := metadata["$tb"]; begin != nil {
			if err := json.Unmarshal(begin, &already); err != nil {
				return operation{"read", stream}.fail(ErrFault, err)
			}
		}
		if already >= number {
			return nil
		}
		metadata["$tb"] = strconv.AppendUint(nil, number, 10)
		data, err := json.Marshal(metadata)
		if err != nil {
			return err
		}
		_, err = c.Append(ctx, stream, expected, Proposed{ID: uuid.New(), Type: "$metadata", Data: data})
		if !errors.Is(err, ErrWrongExpected) { // else the log itself has cut something off
			return err
		}
	}
}
