package sqlprojection

import (
	"context"
	"fmt"
	"slices"
	"time"

	"portal.example/eventstore"
)

const (
	sampleEvents = 20_000
	sampleBytes  = 32 << 20
	sampleLimit  = 30 * time.Second
)

// Sample is the beginning of the log, as far as a definition is about it.
type Sample struct {
	Events []eventstore.Decoded
	Share  float64 // of the log that was looked at, up to 1
}

// ReadSample reads the first events that the definition is for, at most 20,000
// of them.
func ReadSample(ctx context.Context, client *eventstore.Client, codec *eventstore.Codec, d *Definition) (s Sample, err error) {
	ctx, cancel := context.WithTimeout(ctx, sampleLimit)
	defer cancel()
	head, err := client.Head(ctx)
	if err != nil {
		return s, fmt.Errorf("sqlprojection: reading a sample: %w", err)
	}
	var found []eventstore.Recorded
	at, err := read(ctx, client, d.Types(), func(e eventstore.Recorded) { found = append(found, e) })
	if err != nil {
		return s, fmt.Errorf("sqlprojection: reading a sample: %w", err)
	}
	s.Share = 1
	if head.Commit > 0 && at.Compare(head) < 0 {
		s.Share = float64(at.Commit) / float64(head.Commit)
	}
	if !d.Personal {
		s.Events = codec.DecodeSealed(found)
	} else if s.Events, err = codec.DecodeBatch(ctx, found); err != nil {
		return s, fmt.Errorf("sqlprojection: reading a sample: %w", err)
	}
	// What cannot be decoded never reaches a statement.
	s.Events = slices.DeleteFunc(s.Events, func(e eventstore.Decoded) bool { return e.Err != nil })
	return s, nil
}

// read returns how far it came.
func read(ctx context.Context, client *eventstore.Client, types []string, take func(eventstore.Recorded)) (at eventstore.Position, err error) {
	source := client.Subscribe(ctx, eventstore.SubscribeOptions{Filter: eventstore.TypePrefix(types...)})
	defer source.Close()
	for count, bytes := 0, 0; count < sampleEvents && bytes < sampleBytes; {
		notices, err := source.NextBatch(ctx, 1000)
		if err != nil {
			return at, err
		}
		for _, n := range notices {
			at = n.Position
			switch {
			case n.Kind == eventstore.CaughtUp:
				return at, nil
			case n.Kind == eventstore.EventAppeared && slices.Contains(types, n.Event.Type):
				take(n.Event)
				count, bytes = count+1, bytes+len(n.Event.Data)
			}
		}
	}
	return at, nil
}
