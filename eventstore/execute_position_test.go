package eventstore_test

import (
	"context"
	"errors"
	"io"
	"math"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	plain "google.golang.org/grpc/credentials/insecure"

	"portal.example/eventstore"
	"portal.example/eventstore/node"
)

// forgetful is a log of which one client appends, without being told where, and
// another one reads.
type forgetful struct {
	*eventstore.Client
	appends *eventstore.Client
}

func (l forgetful) Append(
	ctx context.Context, stream string, expected eventstore.Expected, events ...eventstore.Proposed,
) (eventstore.Appended, error) {
	at, err := l.appends.Append(ctx, stream, expected, events...)
	at.Position = eventstore.Position{}
	return at, err
}

// positionless passes reads on to a node and takes positions off the events of
// streams, as EventStoreDB before 22.6 has none for them.
func positionless(t *testing.T, address string) *fake {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(plain.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &fake{read: func(options *streams.ReadReq_Options, call streams.Streams_ReadServer) error {
		read, err := streams.NewStreamsClient(conn).Read(call.Context(), &streams.ReadReq{Options: options})
		if err != nil {
			return err
		}
		for {
			answer, err := read.Recv()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if e := answer.GetEvent(); e != nil && options.GetStream() != nil {
				e.Position = &streams.ReadResp_ReadEvent_NoPosition{NoPosition: &shared.Empty{}}
				e.Event.CommitPosition, e.Event.PreparePosition = math.MaxUint64, math.MaxUint64
			}
			if err := call.Send(answer); err != nil {
				return err
			}
		}
	}}
}

// Whoever waits for the position of an answer sees what the command did, and does
// not wait for ever, also where the log does not tell events' positions.
func TestAnswersHavePositionsWhereEventsHaveNone(t *testing.T) {
	t.Parallel()
	n, err := node.Start(t.Context(), node.Config{Dir: t.TempDir(), Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	appends := connect(t, n.ConnectionString())
	reads := connect(t, insecure(positionless(t, n.Addr()).serve(t)))
	log := forgetful{Client: reads, appends: appends}

	took := envelope()
	told := map[string]tillResult{"first": execute(t, newTills(t, log), took, Take{Cents: 50})}
	for e, err := range reads.ReadStream(t.Context(), till, 0) {
		if err != nil || e.Position != eventstore.Start() {
			t.Fatalf("the fake tells position %v, %v", e.Position, err)
		}
	}
	var real eventstore.Position
	for e, err := range appends.ReadStream(t.Context(), till, 0) {
		if err != nil {
			t.Fatal(err)
		}
		real = e.Position
	}
	c := newTills(t, log)
	told["repeat"] = execute(t, c, took, Take{Cents: 50})
	told["nothing new"] = execute(t, c, envelope(), Balance{Cents: 50})
	told["nothing new, again"] = execute(t, c, envelope(), Balance{Cents: 50})
	head, err := appends.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for what, r := range told {
		if r.Position.Compare(real) < 0 || r.Position.Compare(head) > 0 {
			t.Errorf("%s: position %v, the event's is %v and the log's end %v", what, r.Position, real, head)
		}
	}
}
