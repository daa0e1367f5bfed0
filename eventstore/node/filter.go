package node

import (
	"bytes"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"portal.example/eventstore"
	"portal.example/eventstore/node/journal"
)

// filter lets events of $all through by the name of their stream or type. The
// zero value lets everything through.
type filter struct {
	active   bool
	byType   bool
	prefixes [][]byte
	matches  func(name []byte) bool
	// every is how many events a subscription considers from one checkpoint to
	// the next; it must not be 0 there.
	every uint64
}

const (
	maxPrefixes     = 256
	maxPatternBytes = 4096
)

// parseFilter checks a client's filter. Regular expressions are RE2's: they
// cannot be made to run for ever.
func parseFilter(o *streams.ReadReq_Options_FilterOptions) (filter, error) {
	if o == nil {
		return filter{}, nil
	}
	f := filter{active: true}
	switch window := o.GetWindow().(type) {
	case *streams.ReadReq_Options_FilterOptions_Max:
		f.every = uint64(window.Max) * uint64(o.GetCheckpointIntervalMultiplier())
	case *streams.ReadReq_Options_FilterOptions_Count:
		f.every = uint64(o.GetCheckpointIntervalMultiplier())
	default:
		return filter{}, invalid("filter: the window is missing")
	}
	var e *streams.ReadReq_Options_FilterOptions_Expression
	switch kind := o.GetFilter().(type) {
	case *streams.ReadReq_Options_FilterOptions_StreamIdentifier:
		e = kind.StreamIdentifier
	case *streams.ReadReq_Options_FilterOptions_EventType:
		e, f.byType = kind.EventType, true
	default:
		return filter{}, invalid("filter: neither on the stream nor on the event type")
	}
	switch {
	case len(e.GetPrefix()) > maxPrefixes:
		return filter{}, invalid("filter: %d prefixes, %d at most", len(e.GetPrefix()), maxPrefixes)
	case len(e.GetRegex()) > maxPatternBytes:
		return filter{}, invalid("filter: the regular expression has %d bytes, %d at most", len(e.GetRegex()), maxPatternBytes)
	case len(e.GetPrefix()) > 0:
		for _, p := range e.GetPrefix() {
			if len(p) > maxNameBytes {
				return filter{}, invalid("filter: a prefix of %d bytes, %d at most", len(p), maxNameBytes)
			}
			f.prefixes = append(f.prefixes, []byte(p))
		}
		return f, nil
	case e.GetRegex() == "":
		return filter{}, invalid("filter: neither a prefix nor a regular expression")
	}
	var err error
	if f.matches, err = eventstore.Expression(e.GetRegex()); err != nil {
		return filter{}, invalid("filter: %v", err)
	}
	return f, nil
}

func (f *filter) admits(r *journal.Record) bool {
	if !f.active {
		return true
	}
	name := r.Stream
	if f.byType {
		name = r.Type
	}
	if f.matches != nil {
		return f.matches(name)
	}
	for _, p := range f.prefixes {
		if bytes.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
