package eventstore

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/google/uuid"
)

// Encode turns the events of one command into what the log takes, in the order
// in which they are to be appended to the stream. The metadata is the command's;
// ids and schema versions are set here. Keys of subjects met for the first time
// are made; a subject that has been erased is ErrErased.
func (c *Codec) Encode(ctx context.Context, stream string, m Metadata, events ...any) ([]Proposed, error) {
	m, err := m.complete()
	if err != nil {
		return nil, err
	}
	drafts := make([]draft, len(events))
	for i, event := range events {
		t, known := c.byType[reflect.TypeOf(event)]
		if !known {
			return nil, fmt.Errorf("eventstore: %w: Go type %T", ErrUnknownType, event)
		}
		m.Schema = t.version
		drafts[i] = draft{
			id:       EventID(m, stream, i),
			name:     t.name,
			data:     takeDocument(t.plan, event),
			metadata: takeDocument(c.metadata, m),
		}
	}
	keys, err := c.obtain(ctx, m.Business, drafts)
	if err != nil {
		return nil, err
	}
	proposed := make([]Proposed, len(drafts))
	for i, d := range drafts {
		if proposed[i], err = d.seal(keys, m.Business); err != nil {
			return nil, fmt.Errorf("eventstore: encoding %s: %w", d.name, err)
		}
	}
	return proposed, nil
}

type draft struct {
	id             uuid.UUID
	name           string
	data, metadata document
}

// takeDocument makes a document of an event; without personal fields the event
// is its own twin.
func takeDocument(p *plan, event any) document {
	value := reflect.ValueOf(event)
	if p == nil {
		return document{value: value, stored: value}
	}
	return p.take(value)
}

// obtain asks for the keys of all drafts at once.
func (c *Codec) obtain(ctx context.Context, business string, drafts []draft) (map[Subject]Key, error) {
	owners := owners{}
	for _, d := range drafts {
		for _, spots := range [][]spot{d.data.spots, d.metadata.spots} {
			for _, s := range spots {
				if s.absent() {
					continue
				}
				owner := s.owner(business)
				if owner.ID == "" {
					return nil, fmt.Errorf("eventstore: encoding %s: %s is personal, but of nobody", d.name, s.place())
				}
				owners.add(owner)
			}
		}
	}
	if len(owners.list) == 0 {
		return nil, nil
	}
	keys, err := c.keys.Obtain(ctx, owners.list)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyring, err)
	}
	return keys, nil
}

// owners is a list of distinct subjects.
type owners struct {
	list []Subject
	seen map[Subject]struct{}
}

func (o *owners) add(s Subject) {
	if _, seen := o.seen[s]; seen {
		return
	}
	if o.seen == nil {
		o.seen = make(map[Subject]struct{})
	}
	o.seen[s] = struct{}{}
	o.list = append(o.list, s)
}

func (d draft) seal(keys map[Subject]Key, business string) (Proposed, error) {
	data, err := d.data.seal(keys, business, d.id)
	if err != nil {
		return Proposed{}, err
	}
	metadata, err := d.metadata.seal(keys, business, d.id)
	if err != nil {
		return Proposed{}, err
	}
	return Proposed{ID: d.id, Type: d.name, Data: data, Metadata: metadata}, nil
}

func (d document) seal(keys map[Subject]Key, business string, event uuid.UUID) ([]byte, error) {
	for _, s := range d.spots {
		if s.absent() {
			continue
		}
		key := keys[s.owner(business)]
		if key == nil {
			return nil, fmt.Errorf("%s: the keyring gave no key", s.place())
		}
		if err := s.seal(key, business, event); err != nil {
			return nil, fmt.Errorf("%s: %w", s.place(), err)
		}
	}
	return json.Marshal(d.stored.Interface())
}
