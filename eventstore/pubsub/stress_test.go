//go:build stress

package pubsub_test

import (
	"testing"

	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"portal.example/eventstore/pubsub"
)

// TestPubSubStress is Watermill's suite several times at once, which takes minutes:
// STRESS_TEST_COUNT says how often. `make soak` runs it; the build tag is
// Watermill's own.
func TestPubSubStress(t *testing.T) {
	construct := pubSubs(startLog(t), pubsub.SubscriberConfig{})
	tests.TestPubSubStressTest(t, features, inGroup("suite", construct), construct)
}
