package eventstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
)

// ErrUnknownType is returned for an event whose stored name and version nobody
// has registered, and for a Go type that has no name.
var ErrUnknownType = errors.New("unknown event type")

// EventType ties a Go type to the name and version under which its values are
// stored. See Event and Events.
type EventType struct {
	name    string
	version int
	goType  reflect.Type
	past    []Upcaster
}

// Event registers the event type T, a struct. The name is storage: it stays
// when the Go type is renamed. An additive change of T keeps the version; a
// breaking one raises it by one and adds an upcaster for the shape it leaves
// behind. The upcasters stand from the oldest to the newest.
func Event[T any](name string, version int, past ...Upcaster) EventType {
	return EventType{name: name, version: version, goType: reflect.TypeFor[T](), past: past}
}

// Events registers the types of the values in a list of event types, which the
// domain can keep without knowing this package. All are of version 1 except
// those named in changed, which stand in for the entry of their name.
func Events[E any](named map[string]E, changed ...EventType) []EventType {
	types := slices.Clone(changed)
	for name, example := range named {
		if !slices.ContainsFunc(changed, func(t EventType) bool { return t.name == name }) {
			types = append(types, EventType{name: name, version: 1, goType: reflect.TypeOf(example)})
		}
	}
	return types
}

// Name is the stored name.
func (t EventType) Name() string { return t.name }

// Version is the version of the shape that is written now.
func (t EventType) Version() int { return t.version }

// Upcaster turns the JSON of an event that was stored under this name and
// version into the shape of the next upcaster of its event type, or of the type
// itself after the last. It must be pure, and leave alone what stands sealed in
// the place of a personal field (see the formerly tag where it moves one).
type Upcaster struct {
	Name    string
	Version int
	Up      func(json.RawMessage) (json.RawMessage, error)
}

// Codec translates between events as the domain knows them and as the log holds
// them. It is complete once made, and may be used by several goroutines.
type Codec struct {
	keys     Keyring
	metadata *plan
	byType   map[reflect.Type]*coder
	byShape  map[shape]reader
}

// coder is a registered type with its plan, which is nil where nothing in it is
// personal.
type coder struct {
	EventType
	plan   *plan
	blanks sync.Pool // of *blank
}

// shape is what an event says of itself in the log.
type shape struct {
	name    string
	version int
}

// reader leads from a stored shape to the type of today.
type reader struct {
	coder *coder
	past  []Upcaster
}

// NewCodec makes a codec of these event types. An error is a fault of the
// program, not of its data.
func NewCodec(keys Keyring, types ...EventType) (*Codec, error) {
	metadata, err := newPlan(reflect.TypeFor[Metadata](), "metadata")
	if err != nil {
		return nil, err
	}
	c := &Codec{
		keys:     keys,
		metadata: metadata,
		byType:   make(map[reflect.Type]*coder, len(types)),
		byShape:  make(map[shape]reader, len(types)),
	}
	for _, t := range types {
		if err := c.register(t); err != nil {
			return nil, fmt.Errorf("eventstore: event type %q: %w", t.name, err)
		}
	}
	return c, nil
}

func (c *Codec) register(t EventType) error {
	if t.name == "" || t.version < 1 || t.goType == nil || t.goType.Kind() != reflect.Struct {
		return errors.New("an event type is a struct with a name and a version from 1 on")
	}
	if other, taken := c.byType[t.goType]; taken {
		return fmt.Errorf("%s is already stored as %q", t.goType, other.name)
	}
	if field := interfaceIn(t.goType, "", nil); field != "" {
		return fmt.Errorf("field %s is an interface, in which a personal field could be stored in the clear", field)
	}
	plan, err := newPlan(t.goType, "")
	if err != nil {
		return err
	}
	known := &coder{EventType: t, plan: plan}
	c.byType[t.goType] = known

	if err := c.understand(shape{t.name, t.version}, reader{known, nil}); err != nil {
		return err
	}
	for i, up := range t.past {
		if err := c.understand(shape{up.Name, up.Version}, reader{known, t.past[i:]}); err != nil {
			return err
		}
	}
	return nil
}

func (c *Codec) understand(s shape, r reader) error {
	if other, taken := c.byShape[s]; taken {
		return fmt.Errorf("%s version %d is already read as %q", s.name, s.version, other.coder.name)
	}
	c.byShape[s] = r
	return nil
}
