package eventstore

import (
	"context"
	"hash/maphash"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// batches sends appends over standing calls of BatchAppend, as EventStoreDB's
// clients for other languages do: a call of its own costs an append several times
// what the log does for it.
//
// It is a short cut and never the only way. What it does not take, or gets another
// answer to than success, is said again by the esdb client, whose refusals are
// known; the ids of the events make that safe. It has a connection of its own to
// the one server that the connection string names: where it names several, or where
// to look for them, the leader is to be found, and it takes nothing.
type batches struct {
	life    context.Context // ends with the Client
	conf    esdb.Configuration
	dialer  func(context.Context) (net.Conn, error) // nil: the network
	backoff Backoff
	logger  *slog.Logger

	open sync.Once // by the first append: who only reads needs no second connection
	seed maphash.Seed
	// All appends to a stream go over the same call, nil while it is not there.
	calls [batchCalls]atomic.Pointer[batchCall]
}

// batchCalls is more than one because a server may work on a call in one goroutine.
const batchCalls = 4

// maxBatchSize bounds a message, bytes. One above the server's own bound, of 4 MiB or
// more, would break the call for everybody; MaxAppendSize bounds data, and not names.
const maxBatchSize = 2 << 20

// append returns false where it is not known that the log has the events. It leaves
// half of the time that ctx has to ask the other way.
func (b *batches) append(ctx context.Context, stream string, expected Expected, events []Proposed) (Appended, bool) {
	b.open.Do(func() { go b.keepOpen() })
	call := b.calls[maphash.String(b.seed, stream)%batchCalls].Load()
	if call == nil {
		return Appended{}, false
	}
	request := newBatch(stream, expected, events)
	if proto.Size(request) > maxBatchSize {
		return Appended{}, false
	}
	if deadline, has := ctx.Deadline(); has {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	answer := call.append(ctx, request)
	if answer == nil && call.silence() >= *b.conf.DefaultDeadline/2 {
		call.end()
	}
	return successOf(answer)
}

// keepOpen keeps the calls open where there is one server that takes them.
func (b *batches) keepOpen() {
	if severalHosts(b.conf) {
		return
	}
	conn, err := dialBatches(b.conf, b.dialer, b.backoff)
	if err != nil {
		b.logger.Debug("every append is a call of its own", "error", err)
		return
	}
	defer func() { _ = conn.Close() }() // nothing is left in it
	if !b.offered(conn) {
		return
	}
	var kept sync.WaitGroup
	for i := range b.calls {
		kept.Go(func() { b.keep(&b.calls[i], streams.NewStreamsClient(conn)) })
	}
	kept.Wait()
}

func severalHosts(conf esdb.Configuration) bool { return conf.DnsDiscover || len(conf.GossipSeeds) > 0 }

// offered asks until the server answers.
func (b *batches) offered(conn *grpc.ClientConn) bool {
	for try := 0; ; try++ {
		ctx, cancel := context.WithTimeout(b.life, *b.conf.DefaultDeadline)
		methods, err := serverfeatures.NewServerFeaturesClient(conn).GetSupportedMethods(ctx, &shared.Empty{})
		cancel()
		if err == nil {
			return offersBatches(methods)
		}
		if !passing(err) || !b.backoff.pause(b.life, try) {
			return false
		}
	}
}

func offersBatches(methods *serverfeatures.SupportedMethods) bool {
	for _, m := range methods.GetMethods() {
		if m.GetServiceName() == "event_store.client.streams.streams" && m.GetMethodName() == "batchappend" {
			return true
		}
	}
	return false
}

// keep opens the call anew whenever it breaks.
func (b *batches) keep(current *atomic.Pointer[batchCall], server streams.StreamsClient) {
	for try := 0; ; try++ {
		call, err := openBatchCall(b.life, server)
		if err == nil {
			current.Store(call)
			err = call.run()
			current.Store(nil)
			if call.heard {
				try = 0
			}
		}
		b.logger.Debug("appends are calls of their own for a while", "error", err)
		if refusedForGood(err) || !b.backoff.pause(b.life, try) {
			return
		}
	}
}

// refusedForGood tells that asking again would get the same answer.
func refusedForGood(err error) bool {
	switch status.Code(err) {
	case codes.Unimplemented, codes.Unauthenticated, codes.PermissionDenied:
		return true
	default:
		return false
	}
}
