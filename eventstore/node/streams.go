package node

import (
	"context"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"golang.org/x/sync/semaphore"

	"portal.example/eventstore/node/journal"
)

// streamsService is EventStoreDB's Streams service on a journal.
type streamsService struct {
	streams.UnimplementedStreamsServer
	journal       *journal.Journal
	appendTimeout time.Duration
	alive         context.Context //nolint:containedctx // ends when the node stops, which subscriptions watch
	readers       atomic.Int64
	memory        *semaphore.Weighted // see pageMemory
}

func newStreamsService(alive context.Context, j *journal.Journal, appendTimeout time.Duration) *streamsService {
	return &streamsService{
		journal: j, appendTimeout: appendTimeout, alive: alive, memory: semaphore.NewWeighted(pageMemory),
	}
}

// maxNameBytes bounds the names of streams and event types.
const maxNameBytes = 2048

// streamName takes the name out of a request.
func streamName(id *shared.StreamIdentifier) (string, error) {
	name := string(id.GetStreamName())
	switch {
	case name == "", name == "$$":
		return "", invalid("stream name: must not be empty")
	case len(name) > maxNameBytes:
		return "", invalid("stream name: %d bytes, %d at most", len(name), maxNameBytes)
	case strings.HasPrefix(name, "$$$$"):
		return "", invalid("stream name %q: metadata has no metadata of its own", name)
	}
	return name, nil
}

// mayWrite keeps system streams to the administrator. The metadata stream of an
// ordinary stream is as ordinary as that.
func mayWrite(ctx context.Context, stream string) error {
	if !writable(ctx, stream) {
		return accessDenied(ctx, "stream %q: only the administrator writes to system streams", stream)
	}
	return nil
}

func writable(ctx context.Context, stream string) bool {
	return isAdmin(ctx) || !strings.HasPrefix(strings.TrimPrefix(stream, "$$"), "$")
}

// demands are the options in which writes say what they expect.
type demands interface {
	GetStreamIdentifier() *shared.StreamIdentifier
	GetRevision() uint64
	GetNoStream() *shared.Empty
	GetAny() *shared.Empty
	GetStreamExists() *shared.Empty
}

// writeTarget reads which stream is written to and what is expected of it.
// said tells whether the client said what it expects; revision 0 looks the same
// as nothing otherwise.
func writeTarget(o demands, said bool) (stream string, expected journal.Expected, err error) {
	if stream, err = streamName(o.GetStreamIdentifier()); err != nil {
		return "", 0, err
	}
	switch {
	case !said:
		return "", 0, invalid("expected revision: missing")
	case o.GetNoStream() != nil:
		return stream, journal.NoStream, nil
	case o.GetAny() != nil:
		return stream, journal.Any, nil
	case o.GetStreamExists() != nil:
		return stream, journal.StreamExists, nil
	case o.GetRevision() > math.MaxInt64:
		return "", 0, invalid("expected revision %d: too large", o.GetRevision())
	}
	return stream, journal.Expected(o.GetRevision()), nil
}

// Delete hides a stream's events until somebody appends to it again.
func (s *streamsService) Delete(ctx context.Context, req *streams.DeleteReq) (*streams.DeleteResp, error) {
	o := req.GetOptions()
	r, err := s.end(ctx, o, o.GetExpectedStreamRevision() != nil, s.journal.Delete)
	if err != nil {
		return nil, err
	}
	return &streams.DeleteResp{PositionOption: &streams.DeleteResp_Position_{
		Position: &streams.DeleteResp_Position{CommitPosition: r.Position, PreparePosition: r.Position},
	}}, nil
}

// Tombstone ends a stream for good.
func (s *streamsService) Tombstone(ctx context.Context, req *streams.TombstoneReq) (*streams.TombstoneResp, error) {
	o := req.GetOptions()
	r, err := s.end(ctx, o, o.GetExpectedStreamRevision() != nil, s.journal.Tombstone)
	if err != nil {
		return nil, err
	}
	return &streams.TombstoneResp{PositionOption: &streams.TombstoneResp_Position_{
		Position: &streams.TombstoneResp_Position{CommitPosition: r.Position, PreparePosition: r.Position},
	}}, nil
}

type ending func(ctx context.Context, stream string, expected journal.Expected) (journal.Result, error)

func (s *streamsService) end(ctx context.Context, o demands, said bool, write ending) (journal.Result, error) {
	stream, expected, err := writeTarget(o, said)
	if err != nil {
		return journal.Result{}, err
	}
	if journal.IsMeta(stream) {
		return journal.Result{}, invalid("stream name %q: metadata goes with its stream and is not deleted by itself", stream)
	}
	if err := mayWrite(ctx, stream); err != nil {
		return journal.Result{}, err
	}
	r, err := write(ctx, stream, expected)
	return r, fail(ctx, err)
}
