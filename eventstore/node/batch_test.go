package node

import (
	"context"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"portal.example/eventstore/node/journal"
)

// batchScript is a call whose parts are known beforehand. It counts the
// answers by correlation id.
type batchScript struct {
	grpc.ServerStream
	ctx     context.Context //nolint:containedctx // what grpc asks of a stream
	parts   []*streams.BatchAppendReq
	endless bool         // the last part comes again and again
	taken   atomic.Int64 // how many parts were asked for
	answers []*streams.BatchAppendResp
}

func (s *batchScript) Context() context.Context { return s.ctx }

func (s *batchScript) Recv() (*streams.BatchAppendReq, error) {
	n := int(s.taken.Add(1))
	switch {
	case n <= len(s.parts):
		return s.parts[n-1], nil
	case s.endless:
		return s.parts[len(s.parts)-1], s.ctx.Err()
	}
	return nil, io.EOF
}

func (s *batchScript) Send(a *streams.BatchAppendResp) error {
	s.answers = append(s.answers, a)
	return nil
}

// heldDisk holds the log's syncs back until it is released, and counts them.
type heldDisk struct {
	vfs.FS
	held  *atomic.Bool
	free  chan struct{}
	syncs *atomic.Int64
}

func (d heldDisk) OpenReadWrite(name string, category vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	file, err := d.FS.OpenReadWrite(name, category, o...)
	if err != nil || !strings.HasSuffix(name, ".log") {
		return file, err
	}
	return heldFile{File: file, disk: d}, nil
}

type heldFile struct {
	vfs.File
	disk heldDisk
}

func (f heldFile) SyncData() error { return f.disk.sync(f.File.SyncData) }
func (f heldFile) Sync() error     { return f.disk.sync(f.File.Sync) }

func (d heldDisk) sync(do func() error) error {
	if d.held.Load() {
		d.syncs.Add(1)
		<-d.free
	}
	return do()
}

// The appends of one call do not wait for one another: while the disk is busy
// with the first, all others reach the journal, which writes them together.
func TestBatchesShareSyncs(t *testing.T) {
	t.Parallel()
	disk := newHeldDisk()
	j := openJournal(t, journal.Options{FS: disk})
	const appends = 300
	script := &batchScript{ctx: t.Context()}
	for n := range appends {
		script.parts = append(script.parts, finalPart("s-1", 1))
		script.parts[n].Options.ExpectedStreamPosition = &streams.BatchAppendReq_Options_StreamPosition{StreamPosition: uint64(n - 1)}
	}
	script.parts[0].Options.ExpectedStreamPosition = &streams.BatchAppendReq_Options_NoStream{NoStream: &emptypb.Empty{}}

	disk.held.Store(true)
	service := newStreamsService(t.Context(), j, time.Minute)
	done := make(chan error, 1)
	go func() { done <- service.BatchAppend(script) }()
	for script.taken.Load() <= appends { // until the end was read, and so everything submitted
		select {
		case err := <-done:
			t.Fatalf("the call ended: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	close(disk.free)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for n, answer := range script.answers {
		if answer.GetSuccess() == nil || answer.GetSuccess().GetCurrentRevision() != uint64(n) {
			t.Fatalf("append %d: %v", n, answer)
		}
	}
	if len(script.answers) != appends {
		t.Errorf("%d answers to %d appends", len(script.answers), appends)
	}
	if n := disk.syncs.Load(); n > appends/10 {
		t.Errorf("%d syncs for %d appends", n, appends)
	}
}

func finalPart(stream string, events int) *streams.BatchAppendReq {
	part := &streams.BatchAppendReq{
		CorrelationId: textUUID(uuid.New()), IsFinal: true,
		Options: &streams.BatchAppendReq_Options{
			StreamIdentifier:       &shared.StreamIdentifier{StreamName: []byte(stream)},
			ExpectedStreamPosition: &streams.BatchAppendReq_Options_Any{Any: &emptypb.Empty{}},
		},
	}
	for range events {
		part.ProposedMessages = append(part.ProposedMessages, &streams.BatchAppendReq_ProposedMessage{
			Id: textUUID(uuid.New()), Metadata: map[string]string{"type": "Noted", "content-type": "application/json"}, Data: []byte(`{}`),
		})
	}
	return part
}

func textUUID(id uuid.UUID) *shared.UUID {
	return &shared.UUID{Value: &shared.UUID_String_{String_: id.String()}}
}

// A call in which nothing can be written any more ends, however much of it is
// still to come.
func TestBatchesEndWithTheJournal(t *testing.T) {
	t.Parallel()
	j, err := journal.Open("data", journal.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	script := &batchScript{ctx: t.Context(), parts: []*streams.BatchAppendReq{finalPart("s-1", 1)}, endless: true}
	err = newStreamsService(t.Context(), j, time.Minute).BatchAppend(script)
	if status.Code(err) != codes.Unavailable || len(script.answers) != 0 {
		t.Errorf("%v after %d answers", err, len(script.answers))
	}
}

// Nor by a batch is a permanent stream trimmed; the client is told as it is told
// of a missing right.
func TestBatchesLeavePermanentStreamsAlone(t *testing.T) {
	t.Parallel()
	j := openJournal(t, journal.Options{Permanent: []string{"quote"}})
	limit := finalPart("$$quote-1", 1)
	limit.ProposedMessages[0].Data = []byte(`{"$tb":5}`)
	script := &batchScript{ctx: t.Context(), parts: []*streams.BatchAppendReq{finalPart("quote-1", 1), limit, finalPart("$$quote-1", 1)}}
	if err := newStreamsService(t.Context(), j, time.Minute).BatchAppend(script); err != nil {
		t.Fatal(err)
	}
	if len(script.answers) != 3 || script.answers[0].GetSuccess() == nil || script.answers[2].GetSuccess() == nil {
		t.Fatalf("answered %v", script.answers)
	}
	refusal := script.answers[1].GetError()
	if len(refusal.GetDetails()) != 1 || !refusal.GetDetails()[0].MessageIs(&shared.AccessDenied{}) ||
		!strings.Contains(refusal.GetMessage(), "permanent") {
		t.Errorf("refused with %v", refusal)
	}
}
