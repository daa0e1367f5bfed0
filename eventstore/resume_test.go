package eventstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"portal.example/eventstore"
)

func TestReadResumesBehindWhatItHasSeen(t *testing.T) {
	t.Parallel()
	var asked []uint64 // the calls come one after another
	server := &fake{read: func(o *streams.ReadReq_Options, call streams.Streams_ReadServer) error {
		from := o.GetStream().GetRevision()
		asked = append(asked, from)
		if len(asked) == 1 {
			if err := sendEvents(call, from, 3); err != nil {
				return err
			}
			return status.Error(codes.Unavailable, "gone")
		}
		return sendEvents(call, from, 6)
	}}
	client := connect(t, insecure(server.serve(t)))
	var got []uint64
	for e, err := range client.ReadStream(patience(t), "counter-1", 2) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Revision)
	}
	if diff := cmp.Diff([]uint64{2, 3, 4, 5, 6}, got); diff != "" {
		t.Errorf("revisions (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]uint64{2, 4}, asked); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
}

// Config.Timeout is about silence of the log: a read may last longer, because
// of its user or of its length, and still outlives a lost connection.
func TestReadMayTakeItsTime(t *testing.T) {
	t.Parallel()
	const timeout = 500 * time.Millisecond
	lose := make(chan struct{})
	server := &fake{read: func(o *streams.ReadReq_Options, call streams.Streams_ReadServer) error {
		from := o.GetStream().GetRevision()
		if from > 0 {
			return sendEvents(call, from, 2)
		}
		if err := sendEvents(call, 0, 0); err != nil {
			return err
		}
		<-lose
		return status.Error(codes.Unavailable, "gone")
	}}
	client := connectWith(t, eventstore.Config{ConnectionString: insecure(server.serve(t)), Timeout: timeout})
	events := 0
	for e, err := range client.ReadStream(t.Context(), "counter-1", 0) {
		if err != nil {
			t.Fatal(err)
		}
		if events++; e.Revision == 0 {
			<-time.After(2 * timeout)
			close(lose)
		}
	}
	if events != 3 {
		t.Errorf("read %d events, want 3", events)
	}
}

// Whether a server includes the position that it resumes from, an event is
// delivered once; checkpoints count as progress, and never lead back.
func TestSubscriptionResumesBehindWhatItHasSeen(t *testing.T) {
	t.Parallel()
	var asked []uint64 // the calls come one after another
	server := &fake{read: func(o *streams.ReadReq_Options, call streams.Streams_ReadServer) error {
		asked = append(asked, o.GetAll().GetPosition().GetCommitPosition())
		err := confirm(call)
		switch len(asked) {
		case 1:
			err = errors.Join(err, sendEvents(call, 1, 2), sendCaughtUp(call))
		case 2:
			err = errors.Join(err, sendEvents(call, 2, 3), sendCheckpoint(call, 7))
		case 3:
			err = errors.Join(err, sendCheckpoint(call, 5), sendEvents(call, 8, 8))
			if err == nil {
				return silent(call)
			}
		}
		return errors.Join(err, status.Error(codes.Unavailable, "gone"))
	}}
	client := connect(t, insecure(server.serve(t)))
	subscription := client.Subscribe(patience(t), eventstore.SubscribeOptions{Filter: eventstore.TypePrefix("Count")})
	defer subscription.Close()

	type seen struct {
		Kind eventstore.NoticeKind
		At   uint64
	}
	want := []seen{
		{eventstore.EventAppeared, 1},
		{eventstore.EventAppeared, 2},
		{eventstore.CaughtUp, 2},
		{eventstore.FellBehind, 2},
		{eventstore.EventAppeared, 3},
		{eventstore.CheckpointReached, 7},
		{eventstore.EventAppeared, 8},
	}
	var got []seen
	for len(got) < len(want) {
		batch, err := subscription.NextBatch(patience(t), 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range batch {
			got = append(got, seen{n.Kind, n.Position.Commit})
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("notices (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]uint64{0, 2, 7}, asked); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
}
