package eventstore

import (
	"bytes"
	"errors"
	"regexp"
	"slices"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

// Filter chooses, on the log's side, the events of a subscription. The zero
// value lets all of them pass, the system's own ($…) too.
type Filter struct {
	chosen     bool
	by         esdb.FilterType
	prefixes   []string
	expression string
}

// StreamPrefix lets the events of streams pass whose name begins with one of
// the prefixes, such as "quote-".
func StreamPrefix(prefixes ...string) Filter {
	return Filter{chosen: true, by: esdb.StreamFilterType, prefixes: prefixes}
}

// TypePrefix lets events pass whose type begins with one of the prefixes.
func TypePrefix(prefixes ...string) Filter {
	return Filter{chosen: true, by: esdb.EventFilterType, prefixes: prefixes}
}

// StreamMatches lets the events of streams pass whose name matches the regular
// expression. Keep to what Go's and .NET's syntax share.
func StreamMatches(expression string) Filter {
	return Filter{chosen: true, by: esdb.StreamFilterType, expression: expression}
}

// TypeMatches lets events pass whose type matches the regular expression. Keep
// to what Go's and .NET's syntax share.
func TypeMatches(expression string) Filter {
	return Filter{chosen: true, by: esdb.EventFilterType, expression: expression}
}

// UserEvents lets all pass but the system's own events, whose types begin with $.
func UserEvents() Filter {
	return TypeMatches(notSystem)
}

func (f Filter) check() error {
	if f.chosen && f.expression == "" && (len(f.prefixes) == 0 || slices.Contains(f.prefixes, "")) {
		return errors.New("the filter has an empty prefix or expression")
	}
	return nil
}

// Matcher is the filter as a function of an event's stream and type, for those
// who read a log without asking a server to choose.
func (f Filter) Matcher() (func(stream, eventType []byte) bool, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	if !f.chosen {
		return func(_, _ []byte) bool { return true }, nil
	}
	matches := f.hasPrefix
	if f.expression != "" {
		var err error
		if matches, err = Expression(f.expression); err != nil {
			return nil, err
		}
	}
	if f.by == esdb.EventFilterType {
		return func(_, eventType []byte) bool { return matches(eventType) }, nil
	}
	return func(stream, _ []byte) bool { return matches(stream) }, nil
}

// The expressions of this client and of EventStoreDB's own ones for whatever does not
// begin with $.
const (
	notSystem       = `^[^$]`
	notSystemOfEsdb = `^[^\$].*`
)

// Expression compiles a filter's regular expression. What nearly every reader of a
// log asks for needs none.
func Expression(expression string) (matches func(name []byte) bool, err error) {
	if expression == notSystem || expression == notSystemOfEsdb {
		return func(name []byte) bool { return len(name) > 0 && name[0] != '$' }, nil
	}
	pattern, err := regexp.Compile(expression)
	if err != nil {
		return nil, err
	}
	return pattern.Match, nil
}

func (f Filter) hasPrefix(name []byte) bool {
	return slices.ContainsFunc(f.prefixes, func(prefix string) bool { return bytes.HasPrefix(name, []byte(prefix)) })
}

// searchWindow is how many events the log looks at in one go, EventStoreDB's
// default; checkpoints come at multiples of it.
const searchWindow = 32

// apply sets what concerns the filter in the esdb client's options.
func (f Filter) apply(options *esdb.SubscribeToAllOptions, checkpointEvery int) {
	if !f.chosen {
		return
	}
	options.Filter = &esdb.SubscriptionFilter{Type: f.by, Prefixes: f.prefixes, Regex: f.expression}
	options.MaxSearchWindow = searchWindow
	options.CheckpointInterval = (checkpointEvery + searchWindow - 1) / searchWindow
}
