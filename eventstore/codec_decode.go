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
	decoded, documents := c.parseBatch(batch)
	if err := c.open(ctx, decoded, documents); err != nil {
		return nil, err
	}
	understood(decoded, documents)
	return decoded, nil
}

// DecodeSealed is DecodeBatch for whoever needs no personal field: all of them
// have their zero value, and no key is asked for.
func (c *Codec) DecodeSealed(batch []Recorded) []Decoded {
	decoded, documents := c.parseBatch(batch)
	understood(decoded, documents)
	return decoded
}

func (c *Codec) parseBatch(batch []Recorded) ([]Decoded, []document) {
	decoded := make([]Decoded, len(batch))
	documents := make([]document, len(batch))
	inParallel(len(batch), func(i int) {
		decoded[i].Record = batch[i]
		documents[i], decoded[i].Err = c.parse(&decoded[i])
	})
	return decoded, documents
}

func understood(decoded []Decoded, documents []document) {
	for i := range decoded {
		if d := &decoded[i]; d.Err == nil {
			d.Event = documents[i].value.Interface()
		}
	}
}

// worthSharing is how many events are worth a goroutine: a replay's batches
// have thousands, live ones a few.
const worthSharing = 256

// inParallel calls do for each of n events, those of a large batch on all
// processors.
func inParallel(n int, do func(i int)) {
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
			for i := from; i < min(from+share, n); i++ {
				do(i)
			}
		})
	}
	for i := range min(share, n) {
		do(i)
	}
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
			documents[i], d.Err = parseDocument(c.metadata, reflect.TypeFor[Metadata](), d.Record.Metadata)
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

// parse fills in the metadata and makes the document of the event, after
// bringing it up to the shape of today.
func (c *Codec) parse(d *Decoded) (document, error) {
	r := d.Record
	if err := c.parseMetadata(d); err != nil {
		return document{}, r.fault(fmt.Errorf("metadata: %w", err))
	}
	reader, known := c.byShape[shape{r.Type, d.Metadata.Schema}]
	if !known {
		return document{}, r.fault(fmt.Errorf("%w, version %d", ErrUnknownType, d.Metadata.Schema))
	}
	data := json.RawMessage(r.Data)
	var err error
	for _, up := range reader.past {
		if data, err = up.Up(data); err != nil {
			return document{}, r.fault(fmt.Errorf("upcasting from %s version %d: %w", up.Name, up.Version, err))
		}
	}
	event, err := parseDocument(reader.coder.plan, reader.coder.goType, data)
	if err != nil {
		return document{}, r.fault(err)
	}
	return event, nil
}

func (c *Codec) parseMetadata(d *Decoded) (err error) {
	var usual bool
	if d.Metadata, usual = scanMetadata(d.Record.Metadata); usual {
		return nil
	}
	document, err := parseDocument(c.metadata, reflect.TypeFor[Metadata](), d.Record.Metadata)
	if err == nil {
		d.Metadata = document.value.Interface().(Metadata)
	}
	return err
}

func parseDocument(p *plan, t reflect.Type, data []byte) (document, error) {
	if p != nil {
		return p.parse(data, t)
	}
	value := reflect.New(t)
	err := json.Unmarshal(data, value.Interface())
	return document{value: value.Elem()}, err
}

// open opens the sealed spots of the documents, each of which belongs to the
// decoded event of the same index.
func (c *Codec) open(ctx context.Context, decoded []Decoded, documents []document) error {
	owners := owners{}
	for i, d := range decoded {
		for _, s := range documents[i].spots {
			if !s.unsealed() {
				owners.add(s.owner(d.Metadata.Business))
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
	inParallel(len(decoded), func(i int) {
		if d := &decoded[i]; d.Err == nil {
			d.Err = d.open(keys, documents[i].spots)
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
func (r Recorded) fault(err error) error {
	return fmt.Errorf("eventstore: %s@%d %s: %w", r.Stream, r.Revision, r.Type, err)
}
