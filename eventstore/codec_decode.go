package eventstore

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/segmentio/encoding/json"
)

// Stored JSON is read by segmentio's parser, which takes half of the time of
// encoding/json; a replay is mostly that. It is written by encoding/json.

// Decoded is a recorded event, understood.
type Decoded struct {
	Record   Recorded
	Metadata Metadata
	Event    any // a value of the Go type that was registered, not a pointer

	// Erased names the personal fields that can no longer be read, such as
	// "lines[2].note" or "metadata.ip". They have their zero value.
	Erased []string

	// Err is why this event could not be understood; Event is then nil. Other
	// events of the batch are none the worse for it.
	Err error
}

// DecodeBatch understands events in the order given, asking once for all the
// keys they need. Its error means that the keys could not be had and that the
// same batch may succeed later; what is wrong with a single event is in its Err.
//
// The personal fields of the metadata are left sealed, for few readers show
// them and a replay would pay for them with every event. See OpenMetadata.
func (c *Codec) DecodeBatch(ctx context.Context, batch []Recorded) ([]Decoded, error) {
	documents := make([]document, len(batch))
	decoded := c.parseBatch(batch, documents)
	if err := c.open(ctx, decoded, documents); err != nil {
		return nil, err
	}
	for i := range decoded {
		if d := &decoded[i]; d.Err == nil && documents[i].value.IsValid() {
			d.Event = documents[i].value.Interface()
		}
	}
	return decoded, nil
}

// DecodeSealed is DecodeBatch for whoever needs no personal field: all of them
// have their zero value, and no key is asked for.
func (c *Codec) DecodeSealed(batch []Recorded) []Decoded { return c.parseBatch(batch, nil) }

// parseBatch understands events, but for those with personal fields: each of
// them waits in its document. Without documents their personal fields are left out.
func (c *Codec) parseBatch(batch []Recorded, documents []document) []Decoded {
	decoded := make([]Decoded, len(batch))
	inParallel(len(batch), func(from, till int) {
		names := make(names)
		for i := from; i < till; i++ {
			d, waiting := &decoded[i], (*document)(nil)
			if documents != nil {
				waiting = &documents[i]
			}
			d.Record = batch[i]
			d.Err = c.parse(d, waiting, names)
		}
	})
	return decoded
}

// worthSharing is how many events are worth a goroutine: a replay's batches
// have thousands, live ones a few.
const worthSharing = 256

// inParallel calls do for pieces of n events, those of a large batch on all
// processors.
func inParallel(n int, do func(from, till int)) {
	share := max(worthSharing, (n+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0))
	var group sync.WaitGroup
	var panicked atomic.Value
	for from := share; from < n; from += share {
		group.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					panicked.Store(fmt.Sprint(p))
				}
			}()
			do(from, min(from+share, n))
		})
	}
	do(0, min(share, n))
	group.Wait()
	if p := panicked.Load(); p != nil {
		panic(p) // for whoever outlives the caller's panics
	}
}

// OpenMetadata fills in the personal fields of the metadata of decoded events:
// address, IP and user agent. It asks once for all keys, and its error means
// that they could not be had.
func (c *Codec) OpenMetadata(ctx context.Context, decoded []Decoded) error {
	documents := make([]document, len(decoded))
	for i := range decoded {
		if d := &decoded[i]; d.Err == nil {
			documents[i], d.Err = c.metadata.parse(d.Record.Metadata, reflect.TypeFor[Metadata]())
		}
	}
	if err := c.open(ctx, decoded, documents); err != nil {
		return err
	}
	for i := range decoded {
		if d := &decoded[i]; d.Err == nil {
			d.Metadata = documents[i].value.Interface().(Metadata)
		}
	}
	return nil
}

// parse fills in the metadata and, after bringing it up to the shape of today, the
// event or the document in which it waits.
func (c *Codec) parse(d *Decoded, waiting *document, names names) error {
	r := &d.Record
	if err := c.parseMetadata(d, names); err != nil {
		return r.fault(fmt.Errorf("metadata: %w", err))
	}
	reader, known := c.byShape[shape{r.Type, d.Metadata.Schema}]
	if !known {
		return r.fault(fmt.Errorf("%w, version %d", ErrUnknownType, d.Metadata.Schema))
	}
	data := json.RawMessage(r.Data)
	var err error
	for _, up := range reader.past {
		if data, err = up.Up(data); err != nil {
			return r.fault(fmt.Errorf("upcasting from %s version %d: %w", up.Name, up.Version, err))
		}
	}
	if coder := reader.coder; coder.plan != nil && waiting != nil {
		*waiting, err = coder.plan.parse(data, coder.goType)
	} else {
		d.Event, err = coder.parse(data)
	}
	if err != nil {
		return r.fault(err)
	}
	return nil
}

func (c *Codec) parseMetadata(d *Decoded, names names) error {
	if d.Metadata.scan(d.Record.Metadata, names) {
		return nil
	}
	d.Metadata = Metadata{}
	document, err := c.metadata.parse(d.Record.Metadata, reflect.TypeFor[Metadata]())
	if err == nil {
		d.Metadata = document.value.Interface().(Metadata)
	}
	return err
}

// open opens the sealed spots of the documents, each of which belongs to the
// decoded event of the same index.
func (c *Codec) open(ctx context.Context, decoded []Decoded, documents []document) error {
	owners := owners{}
	for i := range decoded {
		for _, s := range documents[i].spots {
			if !s.unsealed() {
				owners.add(s.owner(decoded[i].Metadata.Business))
			}
		}
	}
	if len(owners.list) == 0 {
		return nil
	}
	keys, err := c.keys.Lookup(ctx, owners.list)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKeyring, err)
	}
	inParallel(len(decoded), func(from, till int) {
		for i := from; i < till; i++ {
			if d := &decoded[i]; d.Err == nil {
				d.Err = d.open(keys, documents[i].spots)
			}
		}
	})
	return nil
}

func (d *Decoded) open(keys map[Subject]Key, spots []spot) error {
	for _, s := range spots {
		if s.unsealed() {
			continue
		}
		owner := s.owner(d.Metadata.Business)
		key, ever := keys[owner]
		switch {
		case !ever:
			return d.Record.fault(fmt.Errorf("%s: no key was ever made for subject %q", s.place(), owner.ID))
		case key == nil:
			d.Erased = append(d.Erased, s.place())
		default:
			if err := s.open(key, owner.Business, d.Record.ID); err != nil {
				return d.Record.fault(fmt.Errorf("%s: %w", s.place(), err))
			}
		}
	}
	return nil
}

// fault says which event it is about.
func (r *Recorded) fault(err error) error {
	return fmt.Errorf("eventstore: %s@%d %s: %w", r.Stream, r.Revision, r.Type, err)
}
