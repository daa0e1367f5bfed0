package pubsub

import (
	"testing"

	"portal.example/eventstore"
)

func TestGroupsOfTopics(t *testing.T) {
	t.Parallel()
	for topic, want := range map[string]eventstore.Group{
		"quote-1042":         {Stream: "quote-1042", Name: "mail"},
		"type:QuoteApproved": {Name: "mail:QuoteApproved"},
		"type:a:b":           {Name: "mail:a:b"},
	} {
		if got, err := GroupOf(topic, "mail"); err != nil || got != want {
			t.Errorf("%s: %+v, %v", topic, got, err)
		}
	}
	for _, topic := range []string{"", "type:"} {
		if _, err := GroupOf(topic, "mail"); err == nil {
			t.Errorf("topic %q is taken", topic)
		}
	}
	if _, err := GroupOf("quote-1042", ""); err == nil {
		t.Error("no consumer group is taken")
	}
}

func TestFilterIsForOneType(t *testing.T) {
	t.Parallel()
	for _, eventType := range []string{"Sent", "Sent.v2", "[Sent]", `Sent\d+`, "^Sent$", "Sent|Read", "送信済み"} {
		matches, err := filterOf(TypeTopic(eventType)).Matcher()
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range []string{eventType + "d", "un" + eventType, "Sentxv2", "S", "Sent1", "Read", ""} {
			if matches(nil, []byte(other)) {
				t.Errorf("%s passes for %s", other, eventType)
			}
		}
		if !matches(nil, []byte(eventType)) {
			t.Errorf("%s does not pass", eventType)
		}
	}
}
