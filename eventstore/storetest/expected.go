package storetest

import (
	"fmt"
	"math"
	"strconv"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func expectedTests() []test {
	return []test{
		{"append on every kind of stream", appendMatrix},
		{"delete on every kind of stream", deleteMatrix},
		{"tombstone on every kind of stream", tombstoneMatrix},
		{"a wrong expected version of an append is an answer, in old and new fields", wrongVersionIsAnAnswer},
		{"StreamExists holds for a stream that has only metadata", existsWithMetadataOnly},
	}
}

// A streamState is what a write finds. Except for missing, each has three
// events, so that its current revision is 2.
type streamState string

const (
	missing     streamState = "missing"
	live        streamState = "live"
	softDeleted streamState = "soft-deleted"
	tombstoned  streamState = "tombstoned"
)

func (h *harness) streamIn(state streamState) string {
	h.Helper()
	if state == missing {
		return h.stream()
	}
	stream, _ := h.existing(3)
	switch state {
	case missing, live:
	case softDeleted:
		h.delete(stream, esdb.Any{})
	case tombstoned:
		h.tombstone(stream, esdb.Any{})
	}
	return stream
}

// verdict is how a write ends.
type verdict string

const (
	accepted verdict = "accepted"
	wrong    verdict = "wrong expected version"
	deleted  verdict = "stream deleted"
)

// expectations are the columns of the matrices below.
var expectations = [...]expectation{anyRevision, noStream, streamExists, 1, 2, 3}

// matrix says how a write ends, by the stream's state and the expectation.
type matrix map[streamState][len(expectations)]verdict

var allDeleted = [...]verdict{deleted, deleted, deleted, deleted, deleted, deleted}

// appends says how an append ends, whether it comes by itself or in a batch.
var appends = matrix{
	missing:     {accepted, accepted, wrong, wrong, wrong, wrong},
	live:        {accepted, wrong, accepted, wrong, accepted, wrong},
	softDeleted: {accepted, accepted, deleted, wrong, accepted, wrong},
	tombstoned:  allDeleted,
}

func appendMatrix(h *harness) {
	appends.check(h, func(h *harness, state streamState, expected expectation) (verdict, metadata.MD) {
		answer, trailer, err := h.appendRaw(appendOptions(h.streamIn(state), expected), message([]byte(`{}`)))
		switch {
		case err != nil:
			return refusal(h, trailer, err), trailer
		case answer.GetWrongExpectedVersion() != nil:
			wantCurrent(h, state, answer.GetWrongExpectedVersion())
			return wrong, nil
		}
		want := uint64(3)
		if state == missing {
			want = 0
		}
		if got := answer.GetSuccess().GetCurrentRevision(); got != want {
			h.Fatalf("current revision %d, want %d", got, want)
		}
		return accepted, nil
	})
}

func wantCurrent(h *harness, state streamState, w *streams.AppendResp_WrongExpectedVersion) {
	h.Helper()
	if none := w.GetCurrentNoStream() != nil; none != (state == missing) {
		h.Fatalf("%v on a %s stream", w, state)
	}
	if state != missing && w.GetCurrentRevision() != 2 {
		h.Fatalf("current revision %d, want 2", w.GetCurrentRevision())
	}
}

// A delete needs something to delete, so Any and NoStream do not do for a
// stream that was never there.
func deleteMatrix(h *harness) {
	m := matrix{
		missing:     {wrong, wrong, wrong, wrong, wrong, wrong},
		live:        {accepted, wrong, accepted, wrong, accepted, wrong},
		softDeleted: {accepted, accepted, deleted, wrong, accepted, wrong},
		tombstoned:  allDeleted,
	}
	m.check(h, func(h *harness, state streamState, expected expectation) (verdict, metadata.MD) {
		stream := h.streamIn(state)
		_, trailer, err := h.deleteRaw(stream, expected)
		if err != nil {
			return wantTrailers(h, refusal(h, trailer, err), stream, state, expected, trailer), trailer
		}
		h.wantNoStream(stream)
		return accepted, nil
	})
}

// A tombstone may be put where nothing is: it keeps the name from being used.
func tombstoneMatrix(h *harness) {
	m := matrix{
		missing:     {accepted, accepted, wrong, wrong, wrong, wrong},
		live:        {accepted, wrong, accepted, wrong, accepted, wrong},
		softDeleted: {accepted, accepted, deleted, wrong, accepted, wrong},
		tombstoned:  allDeleted,
	}
	m.check(h, func(h *harness, state streamState, expected expectation) (verdict, metadata.MD) {
		stream := h.streamIn(state)
		_, trailer, err := h.tombstoneRaw(stream, expected)
		if err != nil {
			return wantTrailers(h, refusal(h, trailer, err), stream, state, expected, trailer), trailer
		}
		_, err = h.tryRead(stream, esdb.ReadStreamOptions{}, 1)
		h.wantCode(err, esdb.ErrorCodeStreamDeleted)
		return accepted, nil
	})
}

func (m matrix) check(h *harness, write func(*harness, streamState, expectation) (verdict, metadata.MD)) {
	for _, state := range []streamState{missing, live, softDeleted, tombstoned} {
		for i, expected := range expectations {
			h.Run(fmt.Sprintf("%s expecting %s", state, expected), func(t *testing.T) {
				h := h.suite.harness(t)
				if got, trailer := write(h, state, expected); got != m[state][i] {
					h.Fatalf("%s (trailers %v), want %s", got, trailer, m[state][i])
				}
			})
		}
	}
}

func (e expectation) String() string {
	switch e {
	case anyRevision:
		return "Any"
	case noStream:
		return "NoStream"
	case streamExists:
		return "StreamExists"
	default:
		return strconv.FormatInt(int64(e), 10)
	}
}

// refusal says which refusal an error is, by the trailers that clients go by.
func refusal(h *harness, trailer metadata.MD, err error) verdict {
	h.Helper()
	if status.Code(err) != codes.FailedPrecondition {
		h.Fatalf("%v, want FailedPrecondition", err)
	}
	switch exception := first(trailer, "exception"); exception {
	case "wrong-expected-version":
		return wrong
	case "stream-deleted":
		return deleted
	default:
		h.Fatalf("%v with trailer exception=%q", err, exception)
		return ""
	}
}

func wantTrailers(h *harness, v verdict, stream string, state streamState, expected expectation, trailer metadata.MD) verdict {
	h.Helper()
	want := map[string]string{"stream-name": stream}
	if v == wrong {
		want["expected-version"] = strconv.FormatInt(int64(expected), 10)
		want["actual-version"] = "2"
		if state == missing {
			want["actual-version"] = "-1"
		}
	}
	got := map[string]string{}
	for key := range want {
		got[key] = first(trailer, key)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		h.Fatalf("trailers (-want +got):\n%s", diff)
	}
	return v
}

func first(md metadata.MD, key string) string {
	if values := md.Get(key); len(values) > 0 {
		return values[0]
	}
	return ""
}

func wrongVersionIsAnAnswer(h *harness) {
	stream, _ := h.existing(3)
	refuse := func(stream string, expected expectation) *streams.AppendResp_WrongExpectedVersion {
		h.Helper()
		answer, _, err := h.appendRaw(appendOptions(stream, expected), message([]byte(`{}`)))
		if err != nil {
			h.Fatalf("%s: %v, want an answer", expected, err)
		}
		if answer.GetWrongExpectedVersion() == nil {
			h.Fatalf("%s: %v, want a wrong expected version", expected, answer)
		}
		return answer.GetWrongExpectedVersion()
	}

	w := refuse(stream, 7)
	if w.GetExpectedRevision() != 7 || w.GetExpectedRevision_20_6_0() != 7 ||
		w.GetCurrentRevision() != 2 || w.GetCurrentRevision_20_6_0() != 2 {
		h.Errorf("expecting 7 at 2: %v", w)
	}
	// The old fields have no word for NoStream; the highest number stands for it.
	w = refuse(stream, noStream)
	if w.GetExpectedNoStream() == nil || w.GetExpectedRevision_20_6_0() != math.MaxUint64 ||
		w.GetCurrentRevision() != 2 || w.GetCurrentRevision_20_6_0() != 2 {
		h.Errorf("expecting NoStream at 2: %v", w)
	}
	w = refuse(h.stream(), streamExists)
	if w.GetExpectedStreamExists() == nil || w.GetStreamExists_20_6_0() == nil ||
		w.GetCurrentNoStream() == nil || w.GetNoStream_20_6_0() == nil {
		h.Errorf("expecting StreamExists of a missing stream: %v", w)
	}
}

func existsWithMetadataOnly(h *harness) {
	stream := h.stream()
	h.setMetadata(stream, `{"$maxCount":100}`)
	if got := h.append(stream, esdb.StreamExists{}, events(1)...).NextExpectedVersion; got != 0 {
		h.Fatalf("current revision %d, want 0", got)
	}
}
