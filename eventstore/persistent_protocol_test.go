package eventstore_test

import (
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc/codes"

	"portal.example/eventstore"
)

// Each of these ends the process or panics in the esdb client as it is, or means
// something else there.
func TestConsumerSurvivesWhatTheLogMaySay(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		say  func(persistent.PersistentSubscriptions_ReadServer) error
		want error
	}{
		"no creation time": {func(call persistent.PersistentSubscriptions_ReadServer) error {
			e := deliverable(1)
			delete(e.Metadata, "created")
			return errors.Join(admit(call), deliver(call, e, nil))
		}, eventstore.ErrFault},
		"no event": {func(call persistent.PersistentSubscriptions_ReadServer) error {
			return errors.Join(admit(call), deliver(call, nil, nil))
		}, eventstore.ErrFault},
		"nothing": {func(call persistent.PersistentSubscriptions_ReadServer) error {
			return errors.Join(admit(call), call.Send(&persistent.ReadResp{}))
		}, eventstore.ErrFault},
		"a second confirmation": {func(call persistent.PersistentSubscriptions_ReadServer) error {
			return errors.Join(admit(call), confirmGroup(call))
		}, eventstore.ErrFault},
		"an event before the confirmation": {func(call persistent.PersistentSubscriptions_ReadServer) error {
			_, err := call.Recv()
			return errors.Join(err, deliver(call, deliverable(1), nil))
		}, eventstore.ErrFault},
		"no such group":            {refusal(codes.NotFound), eventstore.ErrGroupNotFound},
		"no such group any more":   {afterAdmission(ending(codes.NotFound)), eventstore.ErrGroupNotFound},
		"unknown credentials":      {refusal(codes.Unauthenticated), eventstore.ErrAccessDenied},
		"insufficient credentials": {refusal(codes.PermissionDenied), eventstore.ErrAccessDenied},
		"a failure inside":         {afterAdmission(ending(codes.Internal)), eventstore.ErrFault},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			server := &fake{group: groups{consume: func(call persistent.PersistentSubscriptions_ReadServer) error {
				calls.Add(1)
				return test.say(call)
			}}}
			k := consume(t, connect(t, insecure(server.serve(t))), eventstore.Group{Stream: "counter-1", Name: "mail"})
			if _, err := k.Next(patience(t)); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if calls.Load() != 1 {
				t.Errorf("it asked %d times", calls.Load())
			}
		})
	}
}

// What passes is waited out: the first call of each meets it, the next one
// succeeds.
func TestConsumerTriesAgain(t *testing.T) {
	t.Parallel()
	for name, obstacle := range map[string]func(persistent.PersistentSubscriptions_ReadServer) error{
		"a full group":                  refusal(codes.FailedPrecondition),
		"a group that was changed":      afterAdmission(ending(codes.Canceled)),
		"a log that stops":              afterAdmission(ending(codes.Unavailable)),
		"a log that is not there":       refusal(codes.Unavailable),
		"a log that says nothing":       func(call persistent.PersistentSubscriptions_ReadServer) error { return silent(call) },
		"a subscription that just ends": afterAdmission(func(persistent.PersistentSubscriptions_ReadServer) error { return nil }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			server := &fake{group: groups{consume: func(call persistent.PersistentSubscriptions_ReadServer) error {
				if calls.Add(1) == 1 {
					return obstacle(call)
				}
				return errors.Join(admit(call), deliver(call, deliverable(1), nil), silent(call))
			}}}
			client := connectWith(t, eventstore.Config{ConnectionString: insecure(server.serve(t)), Timeout: 100 * time.Millisecond})
			wantRevisions(t, consume(t, client, eventstore.Group{Stream: "counter-1", Name: "mail"}), 1)
		})
	}
}

// There is nothing to do about an event that is gone, and nobody to ask.
func TestLinksThatLeadNowhereAreSkipped(t *testing.T) {
	t.Parallel()
	answers := make(chan *persistent.ReadReq, 2)
	server := &fake{group: groups{consume: func(call persistent.PersistentSubscriptions_ReadServer) error {
		if err := errors.Join(admit(call), deliver(call, nil, deliverable(7)), deliver(call, deliverable(8), nil)); err != nil {
			return err
		}
		for range cap(answers) {
			answer, err := call.Recv()
			if err != nil {
				return err
			}
			answers <- answer
		}
		return silent(call)
	}}}
	k := consume(t, connect(t, insecure(server.serve(t))), eventstore.Group{Stream: "counter-1", Name: "mail"})
	wantRevisions(t, k, 8)
	skipped, acked := 0, 0
	for range cap(answers) {
		select {
		case answer := <-answers:
			acked += len(answer.GetAck().GetIds())
			if answer.GetNack().GetAction() == persistent.ReadReq_Nack_Skip {
				skipped += len(answer.GetNack().GetIds())
			}
		case <-patience(t).Done():
			t.Fatal("no answer")
		}
	}
	if skipped != 1 || acked != 1 {
		t.Errorf("%d events skipped, %d acknowledged", skipped, acked)
	}
}

// A log that takes no notice of a consumer's leave does not hold it up.
func TestConsumerLeavesAnyway(t *testing.T) {
	t.Parallel()
	acked := make(chan int, 1)
	server := &fake{group: groups{consume: func(call persistent.PersistentSubscriptions_ReadServer) error {
		if err := errors.Join(admit(call), deliver(call, deliverable(1), nil)); err != nil {
			return err
		}
		for {
			answer, err := call.Recv()
			if err != nil {
				return err
			}
			if ack := answer.GetAck(); ack != nil {
				acked <- len(ack.GetIds())
			}
		}
	}}}
	k := consume(t, connect(t, insecure(server.serve(t))), eventstore.Group{Stream: "counter-1", Name: "mail"})
	wantRevisions(t, k, 1)
	k.Close(patience(t))
	select {
	case n := <-acked:
		if n != 1 {
			t.Errorf("%d events acknowledged", n)
		}
	case <-patience(t).Done():
		t.Fatal("the last answer has not been sent")
	}
}

// admit takes the options and confirms the subscription.
func admit(call persistent.PersistentSubscriptions_ReadServer) error {
	if _, err := call.Recv(); err != nil {
		return err
	}
	return confirmGroup(call)
}

func confirmGroup(call persistent.PersistentSubscriptions_ReadServer) error {
	return call.Send(&persistent.ReadResp{Content: &persistent.ReadResp_SubscriptionConfirmation_{
		SubscriptionConfirmation: &persistent.ReadResp_SubscriptionConfirmation{SubscriptionId: "1"},
	}})
}

// refusal takes the options first: who sends on a call that has ended is told
// nothing but that, and tries again.
func refusal(code codes.Code) func(persistent.PersistentSubscriptions_ReadServer) error {
	return func(call persistent.PersistentSubscriptions_ReadServer) error {
		_, err := call.Recv()
		return errors.Join(err, exception(call, code))
	}
}

func ending(code codes.Code) func(persistent.PersistentSubscriptions_ReadServer) error {
	return func(call persistent.PersistentSubscriptions_ReadServer) error { return exception(call, code) }
}

func afterAdmission(then func(persistent.PersistentSubscriptions_ReadServer) error) func(persistent.PersistentSubscriptions_ReadServer) error {
	return func(call persistent.PersistentSubscriptions_ReadServer) error {
		return errors.Join(admit(call), then(call))
	}
}

type deliverableEvent = persistent.ReadResp_ReadEvent_RecordedEvent

func deliver(call persistent.PersistentSubscriptions_ReadServer, event, link *deliverableEvent) error {
	return call.Send(&persistent.ReadResp{Content: &persistent.ReadResp_Event{
		Event: &persistent.ReadResp_ReadEvent{Event: event, Link: link},
	}})
}

// deliverable is an event as a sound server sends it to a group.
func deliverable(n uint64) *deliverableEvent {
	return &deliverableEvent{
		Id:               &shared.UUID{Value: &shared.UUID_String_{String_: "5f0cf77a-9a9d-4a9a-a6a5-a2bb8d1d4f2e"}},
		StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte("counter-1")},
		StreamRevision:   n, PreparePosition: n, CommitPosition: n,
		Metadata: map[string]string{
			"type": "Counted", "content-type": "application/json", "created": strconv.Itoa(17_000_000_000_000_000),
		},
	}
}
