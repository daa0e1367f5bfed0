package storetest

import (
	"slices"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// refusals of requests that make no sense. EventStoreDB checks some of them,
// and lets others run into an exception, which its clients see as Unknown.
var badRequest = []codes.Code{codes.InvalidArgument, codes.Unknown}

func badInputTests() []test {
	return []test{
		{"an empty stream name", emptyStreamName},
		{"an event without an id", eventWithoutID},
		{"an id that is none", malformedID},
		{"an event without a type or a content type, with trailers", missingSystemMetadata},
		{"an empty type", emptyType},
		{"an append that does not say what it expects", appendWithoutExpectation},
		{"an append whose messages are out of order", appendOutOfOrder},
		{"a bad event among good ones", badAmongGood},
		{"a filter that is no regular expression", brokenPattern},
		{"a filter on nothing", filterOnNothing},
		{"a filter without a search window", filterWithoutWindow},
		{"a checkpoint interval of nothing", noCheckpointInterval},
		{"reads that make no sense", senselessReads},
		{"requests with nothing in them", emptyRequests},
	}
}

func (h *harness) wantRefused(err error, allowed ...codes.Code) {
	h.Helper()
	if !slices.Contains(allowed, status.Code(err)) {
		h.Fatalf("%v, want one of %v", err, allowed)
	}
}

// goesOn checks that the server has taken no harm.
func (h *harness) goesOn() {
	h.Helper()
	stream, proposed := h.existing(1)
	h.wantEvents(h.read(stream), proposed)
}

// An EventStoreDB that checks access takes no name for no access.
func emptyStreamName(h *harness) {
	allowed := append([]codes.Code{codes.PermissionDenied}, badRequest...)
	_, _, err := h.appendRaw(appendOptions("", anyRevision), message([]byte(`{}`)))
	h.wantRefused(err, allowed...)
	for _, options := range [][]readOption{{}, {backwards, fromEnd}, {subscribed}} {
		h.wantRefused(h.opened(readStreamRequest("", options...)), allowed...)
	}
	_, _, err = h.deleteRaw("", anyRevision)
	h.wantRefused(err, allowed...)
	_, _, err = h.tombstoneRaw("", anyRevision)
	h.wantRefused(err, allowed...)
	h.goesOn()
}

// refuseEvent checks that an event is refused and leaves nothing behind.
func (h *harness) refuseEvent(change func(*streams.AppendReq_ProposedMessage)) {
	h.Helper()
	stream := h.stream()
	_, _, err := h.appendRaw(appendOptions(stream, anyRevision), message([]byte(`{}`), change))
	h.wantRefused(err, badRequest...)
	h.wantNoStream(stream)
}

func eventWithoutID(h *harness) {
	h.refuseEvent(withID(nil))
	h.refuseEvent(withID(&shared.UUID{}))
	h.refuseEvent(withID(textID("00000000-0000-0000-0000-000000000000")))
	h.refuseEvent(withID(&shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{}}}))
	h.goesOn()
}

func malformedID(h *harness) {
	for _, id := range []string{"", "x", "12345678-1234-1234-1234", "12345678-1234-1234-1234-12345678901g", "\x00"} {
		h.refuseEvent(withID(textID(id)))
	}
	h.goesOn()
}

func missingSystemMetadata(h *harness) {
	for _, key := range []string{"type", "content-type"} {
		stream := h.stream()
		_, trailer, err := h.appendRaw(appendOptions(stream, anyRevision), message([]byte(`{}`), withoutMetadata(key)))
		h.wantRefused(err, codes.InvalidArgument)
		if first(trailer, "exception") != "missing-required-metadata-property" ||
			first(trailer, "required-metadata-properties") != "type,content-type" {
			h.Errorf("without %s: trailers %v", key, trailer)
		}
		h.wantNoStream(stream)
	}
	h.goesOn()
}

func emptyType(h *harness) {
	h.refuseEvent(withMetadata("type", ""))
	h.goesOn()
}

func appendWithoutExpectation(h *harness) {
	stream := h.stream()
	_, _, err := h.appendRaw(
		&streams.AppendReq{Content: &streams.AppendReq_Options_{Options: &streams.AppendReq_Options{StreamIdentifier: name(stream)}}},
		message([]byte(`{}`)))
	h.wantRefused(err, codes.InvalidArgument)
	h.wantNoStream(stream)
	h.goesOn()
}

func appendOutOfOrder(h *harness) {
	stream := h.stream()
	for _, messages := range [][]*streams.AppendReq{
		{},
		{message([]byte(`{}`))},
		{message([]byte(`{}`)), appendOptions(stream, anyRevision)},
		{appendOptions(stream, anyRevision), appendOptions(stream, anyRevision)},
		{appendOptions(stream, anyRevision), message([]byte(`{}`)), appendOptions(stream, anyRevision)},
		{{}},
		{appendOptions(stream, anyRevision), {}},
	} {
		_, _, err := h.appendRaw(messages...)
		h.wantRefused(err, badRequest...)
	}
	h.wantNoStream(stream)
	h.goesOn()
}

func badAmongGood(h *harness) {
	stream := h.stream()
	_, _, err := h.appendRaw(appendOptions(stream, anyRevision),
		message([]byte(`{}`)), message([]byte(`{}`), withID(nil)), message([]byte(`{}`)))
	h.wantRefused(err, badRequest...)
	h.wantNoStream(stream)
	h.goesOn()
}

func brokenPattern(h *harness) {
	for _, broken := range []string{"(", "[a-", "*", "a{2,1}"} {
		for _, filter := range []readOption{onStream(pattern(broken)), onType(pattern(broken))} {
			h.wantRefused(h.opened(readAllRequest(filter, count(1))), badRequest...)
			h.wantRefused(h.opened(readAllRequest(filter, subscribed)), badRequest...)
		}
	}
	h.goesOn()
}

func filterOnNothing(h *harness) {
	nothing := filterBy(func(*streams.ReadReq_Options_FilterOptions) {})
	h.wantRefused(h.opened(readAllRequest(nothing, count(1))), codes.InvalidArgument)
	h.wantRefused(h.opened(readAllRequest(nothing, subscribed)), codes.InvalidArgument)
	h.goesOn()
}

func filterWithoutWindow(h *harness) {
	filter := filterBy(func(f *streams.ReadReq_Options_FilterOptions) {
		f.Filter = &streams.ReadReq_Options_FilterOptions_EventType{EventType: prefixes("x")}
		f.Window = nil
	})
	h.wantRefused(h.opened(readAllRequest(filter, count(1))), codes.InvalidArgument)
	h.goesOn()
}

func noCheckpointInterval(h *harness) {
	filter := filterBy(func(f *streams.ReadReq_Options_FilterOptions) {
		f.Filter = &streams.ReadReq_Options_FilterOptions_EventType{EventType: prefixes("x")}
		f.CheckpointIntervalMultiplier = 0
	})
	h.wantRefused(h.opened(readAllRequest(filter, subscribed)), badRequest...)
	h.goesOn()
}

func senselessReads(h *harness) {
	stream, _ := h.existing(1)
	for _, tt := range []struct {
		name    string
		request *streams.ReadReq
	}{
		{"a subscription backwards", readStreamRequest(stream, subscribed, backwards)},
		{"a subscription to $all backwards", readAllRequest(subscribed, backwards)},
		{"a filter on a stream", readStreamRequest(stream, onType(prefixes("x")))},
		{"neither a count nor a subscription", readStreamRequest(stream, func(o *streams.ReadReq_Options) { o.CountOption = nil })},
		{"neither a stream nor $all", readStreamRequest(stream, func(o *streams.ReadReq_Options) { o.StreamOption = nil })},
		{"neither a filter nor none", readAllRequest(count(1), func(o *streams.ReadReq_Options) { o.FilterOption = nil })},
		{"no form for ids", readStreamRequest(stream, func(o *streams.ReadReq_Options) { o.UuidOption = nil })},
	} {
		if err := h.opened(tt.request); status.Code(err) != codes.InvalidArgument {
			h.Errorf("%s: %v, want InvalidArgument", tt.name, err)
		}
	}
	_, _, err := h.answers(readStreamRequest(stream, func(o *streams.ReadReq_Options) { o.GetStream().RevisionOption = nil }))
	h.wantRefused(err, append([]codes.Code{codes.OK}, badRequest...)...) // EventStoreDB swallows its own exception here
	h.goesOn()
}

func emptyRequests(h *harness) {
	_, _, err := h.answers(&streams.ReadReq{})
	h.wantRefused(err, badRequest...)
	_, _, err = h.answers(&streams.ReadReq{Options: &streams.ReadReq_Options{}})
	h.wantRefused(err, badRequest...)
	ctx := authorised(h.ctx, h.config)
	_, err = h.wire.Delete(ctx, &streams.DeleteReq{})
	h.wantRefused(err, badRequest...)
	_, err = h.wire.Delete(ctx, &streams.DeleteReq{Options: &streams.DeleteReq_Options{StreamIdentifier: name(h.stream())}})
	h.wantRefused(err, codes.InvalidArgument)
	_, err = h.wire.Tombstone(ctx, &streams.TombstoneReq{})
	h.wantRefused(err, badRequest...)
	_, err = h.wire.Tombstone(ctx, &streams.TombstoneReq{Options: &streams.TombstoneReq_Options{StreamIdentifier: name(h.stream())}})
	h.wantRefused(err, codes.InvalidArgument)
	h.goesOn()
}
