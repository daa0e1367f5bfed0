package parked_test

import (
	"strings"
	"testing"

	"portal.example/domain/domaintest"
	"portal.example/domain/parked"
)

var discarded = parked.Discarded{
	Group: "quote-expiry:QuoteSent", Number: 7, EventID: domaintest.ID(1), EventType: "QuoteSent",
	Stream: "quote-" + domaintest.ID(2), Revision: 1, Reason: "The quote was made by a test.", By: "deploy", At: domaintest.Noon,
}

func TestDiscard(t *testing.T) {
	t.Parallel()
	long, unsaid := discarded, discarded
	long.Reason, unsaid.Reason, unsaid.EventID = strings.Repeat("x", 501), " ", "1"
	domaintest.Run(t, []domaintest.Case[parked.State, parked.Event]{
		{Name: "a message", When: parked.Discard(discarded), Then: []parked.Event{discarded}},
		{Name: "again", Given: []parked.Event{discarded}, When: parked.Discard(discarded)},
		{Name: "for too long a reason", When: parked.Discard(long), Faults: []string{"reason: too_long"}},
		{Name: "for no reason", When: parked.Discard(unsaid), Faults: []string{"reason: required", "eventId: not_an_id"}},
	})
}

func TestStored(t *testing.T) {
	t.Parallel()
	domaintest.Stored(t, parked.Types, []parked.Event{discarded})
}
