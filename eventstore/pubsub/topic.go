package pubsub

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"portal.example/eventstore"
)

// typePrefix begins topics that are about a type of event instead of a stream.
const typePrefix = "type:"

// TypeTopic is the topic of all events of a type, in whatever stream.
func TypeTopic(eventType string) string { return typePrefix + eventType }

// GroupOf is the persistent subscription by which the subscribers of a consumer
// group follow a topic, for those who want to look after it. That of a type is
// one of the whole log, where the consumer group's name alone would not do.
func GroupOf(topic, consumerGroup string) (eventstore.Group, error) {
	eventType, byType := strings.CutPrefix(topic, typePrefix)
	switch {
	case consumerGroup == "":
		return eventstore.Group{}, errors.New("pubsub: the consumer group has no name")
	case topic == "":
		return eventstore.Group{}, errors.New("pubsub: the topic has no name")
	case byType && eventType == "":
		return eventstore.Group{}, fmt.Errorf("pubsub: topic %q names no type", topic)
	case byType:
		return eventstore.Group{Name: consumerGroup + ":" + eventType}, nil
	default:
		return eventstore.Group{Stream: topic, Name: consumerGroup}, nil
	}
}

// filterOf lets the events of a topic pass. Those of a stream need no filter.
func filterOf(topic string) eventstore.Filter {
	eventType, byType := strings.CutPrefix(topic, typePrefix)
	if !byType {
		return eventstore.Filter{}
	}
	return eventstore.TypeMatches("^" + regexp.QuoteMeta(eventType) + "$")
}
