package node_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"portal.example/eventstore/node"
)

// The test binary is also the node that is killed: a process of its own, which
// kill -9 takes away without a chance to tidy up.
const childFolder = "PORTAL_TEST_NODE_FOLDER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		os.Exit(serveChild(dir, os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// serveChild serves until its parent lets go of standard input.
func serveChild(dir string, in io.Reader, out io.Writer) int {
	n, err := node.Start(context.Background(), node.Config{Dir: dir, Insecure: true})
	if err != nil {
		fmt.Fprintln(out, "error:", err)
		return 1
	}
	fmt.Fprintln(out, n.Addr())
	_, _ = io.Copy(io.Discard, in)
	return 0
}

// rounds is how often the node is killed: 20 times in CI, 200 in a soak.
func rounds(t *testing.T) int {
	t.Helper()
	value := os.Getenv("PORTAL_SOAK_KILLS")
	if value == "" {
		return 20
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		t.Fatalf("PORTAL_SOAK_KILLS=%q: not a number of rounds", value)
	}
	return n
}

// history is what the writers were told over all rounds.
type history struct {
	mu     sync.Mutex
	acked  map[string]map[int][]uuid.UUID // by stream, the batch that starts at a revision
	tried  map[uuid.UUID][]uuid.UUID      // every batch ever sent, by its first event
	sealed uint64                         // everything up to this position was verified
	ends   map[string]int                 // verified length of each stream
}

func TestEveryAcknowledgedEventOutlivesKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := &history{acked: map[string]map[int][]uuid.UUID{}, tried: map[uuid.UUID][]uuid.UUID{}, ends: map[string]int{}}
	n := rounds(t)
	for round := range n {
		rng := rand.New(rand.NewPCG(uint64(round), 3))
		child, client := startChild(t, dir)
		h.verify(t, client)
		h.writeUntilKilled(t, client, child, 1+rng.Int64N(800))
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	child, client := startChild(t, dir)
	h.verify(t, client)
	_ = child.Process.Kill()
	_ = child.Wait()
	t.Logf("killed %d times; %d events up to position %d", n, h.total(), h.sealed)
	if h.total() < n {
		t.Errorf("only %d events were written in %d rounds", h.total(), n)
	}
}

func startChild(t *testing.T, dir string) (*exec.Cmd, streams.StreamsClient) {
	t.Helper()
	child, conn := startChildConn(t, dir)
	return child, streams.NewStreamsClient(conn)
}

func startChildConn(t *testing.T, dir string) (*exec.Cmd, *grpc.ClientConn) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // this very binary
	child.Env = append(os.Environ(), childFolder+"="+dir)
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close() })
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	address = strings.TrimSpace(address)
	if _, _, splitErr := net.SplitHostPort(address); err != nil || splitErr != nil {
		t.Fatalf("the node did not start: %q, %v", address, err)
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return child, conn
}

// writeUntilKilled lets 16 writers append batches and kills the node when so
// many were acknowledged, in the middle of the others.
func (h *history) writeUntilKilled(t *testing.T, client streams.StreamsClient, child *exec.Cmd, after int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var acks atomic.Int64
	var writers sync.WaitGroup
	for w := range 16 {
		writers.Go(func() {
			stream := fmt.Sprintf("writer-%d", w)
			for size := 1; ctx.Err() == nil; size = size%5 + 1 {
				batch := h.propose(size)
				revision, err := appendBatch(ctx, client, stream, batch)
				if err != nil {
					return // the node has gone
				}
				h.acknowledge(stream, revision-size+1, batch)
				if acks.Add(1) == after {
					_ = child.Process.Kill()
				}
			}
		})
	}
	writers.Wait()
	_ = child.Wait()
	if acks.Load() < after {
		t.Errorf("the writers stopped after %d of %d appends", acks.Load(), after)
	}
}

func appendBatch(ctx context.Context, client streams.StreamsClient, stream string, ids []uuid.UUID) (last int, err error) {
	call, err := client.Append(ctx)
	if err != nil {
		return 0, err
	}
	err = call.Send(&streams.AppendReq{Content: &streams.AppendReq_Options_{Options: &streams.AppendReq_Options{
		StreamIdentifier:       &shared.StreamIdentifier{StreamName: []byte(stream)},
		ExpectedStreamRevision: &streams.AppendReq_Options_Any{Any: &shared.Empty{}},
	}}})
	for _, id := range ids {
		err = errors.Join(err, call.Send(&streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: &streams.AppendReq_ProposedMessage{
			Id:       &shared.UUID{Value: &shared.UUID_String_{String_: id.String()}},
			Metadata: map[string]string{"type": "Written", "content-type": "application/json"},
			Data:     []byte(`{}`),
		}}}))
	}
	if err != nil {
		return 0, err
	}
	answer, err := call.CloseAndRecv()
	if err != nil {
		return 0, err
	}
	return int(answer.GetSuccess().GetCurrentRevision()), nil
}

func (h *history) propose(size int) []uuid.UUID {
	batch := make([]uuid.UUID, size)
	for i := range batch {
		batch[i] = uuid.New()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tried[batch[0]] = batch
	return batch
}

func (h *history) acknowledge(stream string, first int, batch []uuid.UUID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.acked[stream] == nil {
		h.acked[stream] = map[int][]uuid.UUID{}
	}
	h.acked[stream][first] = batch
}

func (h *history) total() (n int) {
	for _, end := range h.ends {
		n += end
	}
	return n
}

// verify reads what was added since the last time: batches whole, in order,
// positions rising, and every acknowledged batch where its writer was told.
func (h *history) verify(t *testing.T, client streams.StreamsClient) {
	t.Helper()
	found := map[string][]uuid.UUID{}
	position := h.sealed
	for _, e := range readAfter(t, client, h.sealed) {
		stream := string(e.GetStreamIdentifier().GetStreamName())
		if e.GetCommitPosition() <= position {
			t.Fatalf("position %d after %d", e.GetCommitPosition(), position)
		}
		position = e.GetCommitPosition()
		if want := h.ends[stream] + len(found[stream]); int(e.GetStreamRevision()) != want {
			t.Fatalf("%s: revision %d where %d was due", stream, e.GetStreamRevision(), want)
		}
		found[stream] = append(found[stream], uuid.MustParse(e.GetId().GetString_()))
	}
	for stream, ids := range found {
		for i := 0; i < len(ids); {
			batch := h.tried[ids[i]]
			if len(batch) == 0 || len(ids)-i < len(batch) {
				t.Fatalf("%s: at revision %d stands half a batch", stream, h.ends[stream]+i)
			}
			for k, id := range batch {
				if ids[i+k] != id {
					t.Fatalf("%s: at revision %d batches are mixed", stream, h.ends[stream]+i+k)
				}
			}
			i += len(batch)
		}
	}
	for stream, batches := range h.acked {
		for first, batch := range batches {
			at := first - h.ends[stream]
			if at < 0 || at+len(batch) > len(found[stream]) || found[stream][at] != batch[0] {
				t.Fatalf("%s: the batch acknowledged at revision %d is not there", stream, first)
			}
		}
		delete(h.acked, stream)
	}
	for stream, ids := range found {
		h.ends[stream] += len(ids)
	}
	clear(h.tried)
	h.sealed = position
}

func readAfter(t *testing.T, client streams.StreamsClient, after uint64) []*streams.ReadResp_ReadEvent_RecordedEvent {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	call, err := client.Read(ctx, &streams.ReadReq{Options: &streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{AllOption: &streams.ReadReq_Options_AllOptions_Position{
			Position: &streams.ReadReq_Options_Position{CommitPosition: after + 1, PreparePosition: after + 1},
		}}},
		CountOption:  &streams.ReadReq_Options_Count{Count: 1 << 40},
		FilterOption: &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
		UuidOption:   &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_String_{String_: &shared.Empty{}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var events []*streams.ReadResp_ReadEvent_RecordedEvent
	for {
		answer, err := call.Recv()
		if errors.Is(err, io.EOF) {
			return events
		}
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, answer.GetEvent().GetEvent())
	}
}
