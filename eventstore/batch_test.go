package eventstore_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"portal.example/eventstore"
)

// Where a fake server says that it has put an event.
const (
	alone    = 7 // as appended does
	together = 100
)

func appendedTogether(part *streams.BatchAppendReq) *streams.BatchAppendResp {
	return &streams.BatchAppendResp{
		CorrelationId: part.GetCorrelationId(),
		Result: &streams.BatchAppendResp_Success_{Success: &streams.BatchAppendResp_Success{
			CurrentRevisionOption: &streams.BatchAppendResp_Success_CurrentRevision{CurrentRevision: 3},
			PositionOption: &streams.BatchAppendResp_Success_Position{
				Position: &shared.AllStreamPosition{CommitPosition: together, PreparePosition: together},
			},
		}},
	}
}

// eachPart answers every part by itself.
func eachPart(answer func(streams.Streams_BatchAppendServer, *streams.BatchAppendReq) error) func(streams.Streams_BatchAppendServer) error {
	return func(call streams.Streams_BatchAppendServer) error {
		for {
			part, err := call.Recv()
			if err != nil {
				return err
			}
			if err := answer(call, part); err != nil {
				return err
			}
		}
	}
}

func takeAll(call streams.Streams_BatchAppendServer, part *streams.BatchAppendReq) error {
	return call.Send(appendedTogether(part))
}

func takeAlone(call streams.Streams_AppendServer) error { return appended(call, 3) }

// appendUntil appends until enough, which may take a moment: the calls for batches
// are opened beside the first append.
func appendUntil(t *testing.T, client *eventstore.Client, enough func(eventstore.Appended) bool) {
	t.Helper()
	for ctx, n := patience(t), uint64(0); ; n++ {
		got, err := client.Append(ctx, "counter-1", eventstore.Exactly(2), event(n))
		if err != nil || got.Revision != 3 {
			t.Fatalf("append %d: %+v, %v", n, got, err)
		}
		if enough(got) {
			return
		}
	}
}

func untilTogether(a eventstore.Appended) bool { return a.Position.Commit == together }

func TestAppendsGoInBatchesWhereTheLogTakesThem(t *testing.T) {
	t.Parallel()
	server := &fake{append: takeAlone, batch: eachPart(takeAll)}
	appendUntil(t, connect(t, insecure(server.serve(t))), untilTogether)
}

func TestAnswersToBatchesComeInAnyOrder(t *testing.T) {
	t.Parallel()
	const writers = 8
	var hold atomic.Bool
	var held []*streams.BatchAppendResp // all to one stream, hence by one call
	server := &fake{append: takeAlone, batch: eachPart(func(call streams.Streams_BatchAppendServer, part *streams.BatchAppendReq) (err error) {
		if !hold.Load() {
			return takeAll(call, part)
		}
		answer := appendedTogether(part)
		answer.GetSuccess().CurrentRevisionOption = &streams.BatchAppendResp_Success_CurrentRevision{
			CurrentRevision: binary.BigEndian.Uint64(part.GetProposedMessages()[0].GetData()),
		}
		if held = append(held, answer); len(held) == writers {
			for _, answer := range slices.Backward(held) {
				err = errors.Join(err, call.Send(answer))
			}
		}
		return err
	})}
	client := connect(t, insecure(server.serve(t)))
	appendUntil(t, client, untilTogether)
	hold.Store(true)
	ctx := patience(t)
	var all sync.WaitGroup
	for n := range uint64(writers) {
		all.Go(func() {
			if got, err := client.Append(ctx, "counter-1", eventstore.Any(), event(n)); err != nil || got.Revision != n {
				t.Errorf("event %d: %+v, %v", n, got, err)
			}
		})
	}
	all.Wait()
}

// Whatever else than success comes of a batch is said again by itself, with the
// same id.
func TestAppendsThatFailInBatchesAreSaidAgainAlone(t *testing.T) {
	t.Parallel()
	type answer = func(streams.Streams_BatchAppendServer, *streams.BatchAppendReq) error
	for name, answer := range map[string]answer{
		"a refusal": func(call streams.Streams_BatchAppendServer, part *streams.BatchAppendReq) error {
			return call.Send(&streams.BatchAppendResp{
				CorrelationId: part.GetCorrelationId(),
				Result:        &streams.BatchAppendResp_Error{Error: &rpc.Status{Code: int32(codes.AlreadyExists)}},
			})
		},
		"a success without its position": func(call streams.Streams_BatchAppendServer, part *streams.BatchAppendReq) error {
			answer := appendedTogether(part)
			answer.GetSuccess().PositionOption = nil
			return call.Send(answer)
		},
		"an answer without a result": func(call streams.Streams_BatchAppendServer, part *streams.BatchAppendReq) error {
			return call.Send(&streams.BatchAppendResp{CorrelationId: part.GetCorrelationId()})
		},
		"an answer to nobody, and the end": func(call streams.Streams_BatchAppendServer, part *streams.BatchAppendReq) error {
			answer := appendedTogether(part)
			answer.CorrelationId = nil
			return errors.Join(call.Send(answer), status.Error(codes.Internal, "no more"))
		},
		"the end of the call": func(streams.Streams_BatchAppendServer, *streams.BatchAppendReq) error {
			return status.Error(codes.Internal, "no more")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parts := make(chan *streams.BatchAppendReq, 1)
			server := &fake{append: takeAlone, batch: eachPart(func(call streams.Streams_BatchAppendServer, part *streams.BatchAppendReq) error {
				select {
				case parts <- part:
				default:
				}
				return answer(call, part)
			})}
			client := connect(t, insecure(server.serve(t)))
			appendUntil(t, client, func(a eventstore.Appended) bool {
				if a.Position.Commit != alone {
					t.Errorf("taken for a success: %+v", a)
				}
				select {
				case part := <-parts:
					first := uuidOf(part.GetProposedMessages()[0].GetId())
					again := uuidOf(server.said.Load().GetId())
					if first != again {
						t.Errorf("event %s was said again as %s", first, again)
					}
					return true
				default:
					return false
				}
			})
		})
	}
}

func uuidOf(id *shared.UUID) (u uuid.UUID) {
	if text := id.GetString_(); text != "" {
		return uuid.MustParse(text)
	}
	binary.BigEndian.PutUint64(u[:8], uint64(id.GetStructured().GetMostSignificantBits()))
	binary.BigEndian.PutUint64(u[8:], uint64(id.GetStructured().GetLeastSignificantBits()))
	return u
}

// A log that hangs in batches only is asked the other way in good time, whether or not
// the caller is in a hurry, and the call is opened anew.
func TestASilentBatchIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, hurry := range map[string]time.Duration{"no deadline": 0, "a deadline": time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			server := &fake{append: takeAlone, batch: eachPart(func(call streams.Streams_BatchAppendServer, _ *streams.BatchAppendReq) error {
				asked.Add(1)
				return silent(call)
			})}
			client := connectWith(t, eventstore.Config{ConnectionString: insecure(server.serve(t)), Timeout: 3 * time.Second})
			for n := uint64(0); asked.Load() < 2; n++ {
				ctx, cancel := t.Context(), func() {}
				if hurry > 0 {
					ctx, cancel = context.WithTimeout(ctx, hurry)
				}
				if _, err := client.Append(ctx, "counter-1", eventstore.Exactly(2), event(n)); err != nil {
					t.Fatal(err)
				}
				cancel()
			}
		})
	}
}

// What nobody waits for any more is not sent when the log takes batches again.
func TestBatchesThatWereGivenUpAreNotSentLater(t *testing.T) {
	t.Parallel()
	const given = 20 // of half a mebibyte each, of which the windows hold one
	var stuck atomic.Bool
	var taken atomic.Int32
	resume := make(chan struct{})
	server := &fake{append: takeAlone, batch: eachPart(func(call streams.Streams_BatchAppendServer, part *streams.BatchAppendReq) error {
		if stuck.Load() {
			<-resume
			taken.Add(1)
		}
		return takeAll(call, part)
	})}
	client := connectWith(t, eventstore.Config{ConnectionString: insecure(server.serve(t))})
	appendUntil(t, client, untilTogether)
	stuck.Store(true)
	hurry, cancel := context.WithCancel(patience(t))
	var all sync.WaitGroup
	sent := make(chan struct{}, given)
	for n := range uint64(given) {
		all.Go(func() {
			e := event(n)
			e.Data = make([]byte, 512<<10)
			sent <- struct{}{}
			if _, err := client.Append(hurry, "counter-1", eventstore.Any(), e); !errors.Is(err, context.Canceled) {
				t.Errorf("a cancelled append: %v", err)
			}
		})
	}
	for range given {
		<-sent
	}
	cancel()
	all.Wait()
	close(resume)
	// The calls keep their order: when this one is answered, so are those before it.
	for ctx := patience(t); ; {
		if _, together := client.AppendTogether(ctx, "counter-1", eventstore.Exactly(2), event(0)); together {
			break
		}
	}
	if n := taken.Load(); n > given/2 {
		t.Errorf("%d of %d appends that had been given up were sent", n-1, given)
	}
}

func TestNoBatchesAreSentToALogThatDoesNotOfferThem(t *testing.T) {
	t.Parallel()
	var greeted atomic.Int32
	server := &fake{append: takeAlone, batch: eachPart(takeAll), coy: true, greet: func() { greeted.Add(1) }}
	client := connect(t, insecure(server.serve(t)))
	const asked = 2 // by the esdb client, and for batches
	after := 0
	appendUntil(t, client, func(a eventstore.Appended) bool {
		if untilTogether(a) {
			t.Error("an append went in a batch")
		}
		if greeted.Load() >= asked {
			after++
		}
		return after == 100
	})
}

func TestARefusedCallIsNotAskedForAgain(t *testing.T) {
	t.Parallel()
	const calls = 4
	var opened atomic.Int32
	server := &fake{append: takeAlone, batch: func(streams.Streams_BatchAppendServer) error {
		opened.Add(1)
		return status.Error(codes.Unauthenticated, "not you")
	}}
	client := connect(t, insecure(server.serve(t)))
	after := 0
	appendUntil(t, client, func(eventstore.Appended) bool {
		if opened.Load() >= calls {
			after++
		}
		return after == 200
	})
	if n := opened.Load(); n != calls {
		t.Errorf("%d calls were opened, want %d", n, calls)
	}
}

// A message above the server's bound would break the call for everybody.
func TestAnAppendTooLargeForABatchGoesAlone(t *testing.T) {
	t.Parallel()
	var most atomic.Int32
	server := &fake{append: takeAlone, batch: eachPart(func(call streams.Streams_BatchAppendServer, part *streams.BatchAppendReq) error {
		most.Store(max(most.Load(), int32(len(part.GetProposedMessages()))))
		return takeAll(call, part)
	})}
	client := connect(t, insecure(server.serve(t)))
	appendUntil(t, client, untilTogether)
	many := make([]eventstore.Proposed, 1700) // little data, long names: between our bound and that of the server
	for n := range many {
		many[n] = event(uint64(n))
		many[n].Type = strings.Repeat("t", 1500)
	}
	if _, together := client.AppendTogether(patience(t), "counter-1", eventstore.Any(), many...); together || most.Load() > 1 {
		t.Errorf("taken: %v, %d events in a batch", together, most.Load())
	}
}

// A cluster has a leader, which the esdb client looks for.
func TestAppendsToAClusterGoAlone(t *testing.T) {
	t.Parallel()
	address := ""
	server := &fake{
		gossip: func() *gossip.ClusterInfo { return memberAt(address) },
		append: takeAlone,
		batch:  eachPart(takeAll),
	}
	address = server.serve(t)
	client := connect(t, "esdb+discover://"+address+"?tls=false")
	calls := 0
	appendUntil(t, client, func(a eventstore.Appended) bool {
		if calls++; untilTogether(a) {
			t.Error("an append went in a batch")
		}
		return calls == 100
	})
}

func TestDialIsForOneHost(t *testing.T) {
	t.Parallel()
	_, err := eventstore.Connect(eventstore.Config{
		ConnectionString: "esdb+discover://127.0.0.1:2113?tls=false",
		Dial:             func(context.Context) (net.Conn, error) { return nil, errors.ErrUnsupported },
	})
	if !errors.Is(err, eventstore.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}
