package main

import (
	"context"
	"encoding/json"

	"portal.example/eventstore"
)

// opener opens the personal fields of events on their way out, many at a time:
// their keys are asked for at once.
type opener struct {
	codec   *eventstore.Codec
	write   func(*eventstore.Recorded) error
	waiting []eventstore.Recorded
	bytes   int
}

// How many events wait for each other at most, and about how many bytes of them.
const (
	openedAtOnce      = 500
	openedAtOnceBytes = 8 << 20
)

func (o *opener) take(ctx context.Context, e *eventstore.Recorded) error {
	o.waiting = append(o.waiting, *e)
	o.bytes += len(e.Data) + len(e.Metadata)
	if len(o.waiting) < openedAtOnce && o.bytes < openedAtOnceBytes {
		return nil
	}
	return o.flush(ctx)
}

// flush passes on the events that wait. What cannot be understood, such as events
// of another program, stays as it is stored.
func (o *opener) flush(ctx context.Context) error {
	decoded, err := o.codec.DecodeBatch(ctx, o.waiting)
	if err != nil {
		return err
	}
	if err := o.codec.OpenMetadata(ctx, decoded); err != nil {
		return err
	}
	for i := range decoded {
		d := &decoded[i]
		if d.Err == nil {
			if d.Record.Data, err = json.Marshal(d.Event); err != nil {
				return err
			}
			if d.Record.Metadata, err = json.Marshal(d.Metadata); err != nil {
				return err
			}
		}
		if err := o.write(&d.Record); err != nil {
			return err
		}
	}
	o.waiting, o.bytes = o.waiting[:0], 0
	return nil
}
