package storetest

import (
	"regexp"
	"slices"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/go-cmp/cmp"
)

func filterTests() []test {
	return []test{
		{"by the prefix of a stream", filterByStreamPrefix},
		{"by several prefixes", filterBySeveralPrefixes},
		{"by a regular expression on the stream", filterByStreamPattern},
		{"by the prefix of a type", filterByTypePrefix},
		{"by a regular expression on the type", filterByTypePattern},
		{"a regular expression may match anywhere, unless anchored", filterAnywhere},
		{"case counts", filterCaseCounts},
		{"the client's filter against system events", filterSystemEvents},
		{"system events may be asked for", filterForSystemEvents},
		{"backwards as well as forwards", filterBackwards},
		{"no more events come than were asked for", filterCount},
		{"a filter that nothing passes gives nothing", filterNothing},
		{"the search window does not change what is found", filterWindows},
	}
}

// filterBy is a filter with a search window of 32 events, which is what the
// client asks for unless told otherwise.
func filterBy(change func(*streams.ReadReq_Options_FilterOptions)) readOption {
	f := &streams.ReadReq_Options_FilterOptions{
		Window:                       &streams.ReadReq_Options_FilterOptions_Max{Max: 32},
		CheckpointIntervalMultiplier: 1,
	}
	change(f)
	return func(o *streams.ReadReq_Options) { o.FilterOption = &streams.ReadReq_Options_Filter{Filter: f} }
}

func onStream(e *streams.ReadReq_Options_FilterOptions_Expression) readOption {
	return filterBy(func(f *streams.ReadReq_Options_FilterOptions) {
		f.Filter = &streams.ReadReq_Options_FilterOptions_StreamIdentifier{StreamIdentifier: e}
	})
}

func onType(e *streams.ReadReq_Options_FilterOptions_Expression) readOption {
	return filterBy(func(f *streams.ReadReq_Options_FilterOptions) {
		f.Filter = &streams.ReadReq_Options_FilterOptions_EventType{EventType: e}
	})
}

func prefixes(p ...string) *streams.ReadReq_Options_FilterOptions_Expression {
	return &streams.ReadReq_Options_FilterOptions_Expression{Prefix: p}
}

func pattern(p string) *streams.ReadReq_Options_FilterOptions_Expression {
	return &streams.ReadReq_Options_FilterOptions_Expression{Regex: p}
}

func fromPosition(at esdb.Position) readOption {
	return func(o *streams.ReadReq_Options) {
		o.GetAll().AllOption = &streams.ReadReq_Options_AllOptions_Position{
			Position: &streams.ReadReq_Options_Position{CommitPosition: at.Commit, PreparePosition: at.Prepare},
		}
	}
}

// wantFiltered checks the ids of what $all gives from a position on.
func (h *harness) wantFiltered(from esdb.Position, filter readOption, want []esdb.EventData, more ...readOption) {
	h.Helper()
	got := []string{}
	for _, e := range recorded(h.mustAnswer(readAllRequest(append([]readOption{fromPosition(from), filter}, more...)...))) {
		s := e.GetId().GetStructured()
		id, err := esdb.ParseUUIDFromInt64(s.GetMostSignificantBits(), s.GetLeastSignificantBits())
		if err != nil {
			h.Fatal(err)
		}
		got = append(got, id.String())
	}
	if diff := cmp.Diff(proposedIDs(want), got); diff != "" {
		h.Fatalf("ids (-want +got):\n%s", diff)
	}
}

// threeStreams appends two events to each of three streams of a category of
// their own: -a and -b, and one of another category that begins alike. Types
// are the category and Opened or Closed.
func threeStreams(h *harness) (category string, from esdb.Position, a, b, other []esdb.EventData) {
	h.Helper()
	category, from = h.category(), h.mark()
	pair := func(stream string) []esdb.EventData {
		proposed := []esdb.EventData{event(category+"Opened", `{}`), event(category+"Closed", `{}`)}
		h.append(stream, esdb.NoStream{}, proposed...)
		return proposed
	}
	a = pair(category + "-a")
	h.existing(5) // of no interest
	b = pair(category + "-b")
	h.existing(50)
	other = pair(category + "other-a")
	h.existing(5)
	return category, from, a, b, other
}

func filterByStreamPrefix(h *harness) {
	category, from, a, b, other := threeStreams(h)
	h.wantFiltered(from, onStream(prefixes(category+"-")), slices.Concat(a, b))
	h.wantFiltered(from, onStream(prefixes(category)), slices.Concat(a, b, other))
	h.wantFiltered(from, onStream(prefixes(category+"-b")), b)
}

func filterBySeveralPrefixes(h *harness) {
	category, from, a, _, other := threeStreams(h)
	h.wantFiltered(from, onStream(prefixes(category+"other", "nothing-begins-so", category+"-a")), slices.Concat(a, other))
}

func filterByStreamPattern(h *harness) {
	category, from, a, b, other := threeStreams(h)
	quoted := regexp.QuoteMeta(category)
	h.wantFiltered(from, onStream(pattern("^"+quoted+"-[ab]$")), slices.Concat(a, b))
	h.wantFiltered(from, onStream(pattern("^"+quoted+".*-a$")), slices.Concat(a, other))
}

func filterByTypePrefix(h *harness) {
	category, from, a, b, other := threeStreams(h)
	h.wantFiltered(from, onType(prefixes(category+"Op")), slices.Concat(a[:1], b[:1], other[:1]))
	h.wantFiltered(from, onType(prefixes(category)), slices.Concat(a, b, other))
}

func filterByTypePattern(h *harness) {
	category, from, a, b, other := threeStreams(h)
	h.wantFiltered(from, onType(pattern("^"+regexp.QuoteMeta(category)+"(Closed|Reopened)$")), slices.Concat(a[1:], b[1:], other[1:]))
}

func filterAnywhere(h *harness) {
	category, from, a, b, other := threeStreams(h)
	inside := regexp.QuoteMeta(category[len("storetest"):])
	h.wantFiltered(from, onStream(pattern(inside)), slices.Concat(a, b, other))
	h.wantFiltered(from, onStream(pattern("^"+inside)), nil)
	h.wantFiltered(from, onStream(pattern(inside+"$")), nil)
}

func filterCaseCounts(h *harness) {
	category, from, a, b, other := threeStreams(h)
	quoted := regexp.QuoteMeta(category)
	h.wantFiltered(from, onType(pattern("^"+quoted+"opened")), nil)
	h.wantFiltered(from, onType(pattern("(?i)^"+quoted+"opened")), slices.Concat(a[:1], b[:1], other[:1]))
	h.wantFiltered(from, onType(prefixes(category+"opened")), nil)
}

func filterSystemEvents(h *harness) {
	from := h.mark()
	stream, proposed := h.existing(2)
	h.setMetadata(stream, `{"$maxCount":9}`)
	h.tombstone(stream, esdb.Any{})
	exclude := esdb.ExcludeSystemEventsFilter()
	var own []string
	for _, e := range recorded(h.mustAnswer(readAllRequest(fromPosition(from), onType(pattern(exclude.Regex))))) {
		switch string(e.GetStreamIdentifier().GetStreamName()) {
		case stream:
			own = append(own, e.GetMetadata()["type"])
		case "$$" + stream:
			h.Errorf("a system event came through: %s", e.GetMetadata()["type"])
		}
	}
	if len(own) != len(proposed) {
		h.Fatalf("events %v of the stream, want the %d ordinary ones", own, len(proposed))
	}
}

func filterForSystemEvents(h *harness) {
	from := h.mark()
	stream, _ := h.existing(2)
	h.setMetadata(stream, `{"$maxCount":9}`)
	got := recorded(h.mustAnswer(readAllRequest(fromPosition(from), onStream(prefixes("$$"+stream)))))
	if len(got) != 1 || got[0].GetMetadata()["type"] != "$metadata" {
		h.Fatalf("%v, want the metadata event", got)
	}
}

func filterBackwards(h *harness) {
	category, _, a, b, _ := threeStreams(h)
	to := h.mark()
	// One fewer than there are: EventStoreDB searches the rest of its log for
	// one more before it ends a reading.
	want := []esdb.EventData{b[1], b[0], a[1]}
	h.wantFiltered(to, onStream(prefixes(category+"-")), want, backwards, count(3))
	h.wantFiltered(to, onStream(prefixes(category+"-")), want, backwards, fromEnd, count(3))
}

func filterCount(h *harness) {
	category, from, a, b, _ := threeStreams(h)
	h.wantFiltered(from, onStream(prefixes(category+"-")), a[:1], count(1))
	h.wantFiltered(from, onStream(prefixes(category+"-")), slices.Concat(a, b[:1]), count(3))
	h.wantFiltered(from, onStream(prefixes(category+"-")), slices.Concat(a, b), count(100))
}

func filterNothing(h *harness) {
	category, from, _, _, _ := threeStreams(h)
	h.wantFiltered(from, onStream(prefixes(category+"none")), nil)
	h.wantFiltered(from, onType(pattern("^"+regexp.QuoteMeta(category)+"None$")), nil)
}

func filterWindows(h *harness) {
	category, from, a, b, _ := threeStreams(h)
	expression := &streams.ReadReq_Options_FilterOptions_StreamIdentifier{StreamIdentifier: prefixes(category + "-")}
	for _, window := range []uint32{1, 2, 7, 1000} {
		h.wantFiltered(from, filterBy(func(f *streams.ReadReq_Options_FilterOptions) {
			f.Filter, f.Window = expression, &streams.ReadReq_Options_FilterOptions_Max{Max: window}
		}), slices.Concat(a, b))
	}
	h.wantFiltered(from, filterBy(func(f *streams.ReadReq_Options_FilterOptions) {
		f.Filter, f.Window = expression, &streams.ReadReq_Options_FilterOptions_Count{Count: empty}
	}), slices.Concat(a, b))
}
