package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
)

// An event of the benchmark is 500 bytes, the size of a typical fact with its
// envelope: 389 of data and 111 of metadata. All sides append the same ones.
const (
	dataBytes       = 389
	metadataBytes   = 111
	eventType       = "LineAdded"
	category        = "order"
	eventsPerStream = 10 // then the writer begins a new stream
)

// payload is the body of an event.
type payload struct {
	Data     json.RawMessage `json:"data"`
	Metadata json.RawMessage `json:"metadata"`
}

// makePayloads returns bodies that differ, so that no side gains by compressing
// the same text over and over. The same seed makes the same bodies.
func makePayloads(n int) []payload {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // filler, not a secret
	payloads := make([]payload, n)
	for i := range payloads {
		payloads[i] = payload{
			Data: fillTemplate(random, `{"article":"%s","quantity":"3","price":"129.00","currency":"EUR","note":"%s"}`, dataBytes),
			Metadata: fmt.Appendf(nil, `{"$correlationId":"%s","$causationId":"%s"}`,
				uuidLike(random), uuidLike(random)),
		}
	}
	return payloads
}

// fillTemplate puts an id and as much text as makes size bytes into a template.
func fillTemplate(random *rand.Rand, template string, size int) []byte {
	id := uuidLike(random)
	text := size - len(fmt.Sprintf(template, id, ""))
	return fmt.Appendf(nil, template, id, randomText(random, text))
}

func uuidLike(random *rand.Rand) string {
	return fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x",
		random.Uint32(), random.Uint32N(1<<16), random.Uint32N(1<<12), random.Uint32N(1<<12), random.Uint64N(1<<48))
}

func randomText(random *rand.Rand, size int) string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789 ABCDEFGHIJKLMNOPQRSTUVWXYZ."
	var text strings.Builder
	for range size {
		text.WriteByte(letters[random.IntN(len(letters))])
	}
	return text.String()
}
