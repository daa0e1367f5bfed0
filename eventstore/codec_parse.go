package eventstore

import (
	"reflect"

	"github.com/segmentio/encoding/json"
)

// blank is room for one event on its way from JSON, which is used again and again:
// what is handed over is a copy.
type blank struct {
	value, stored reflect.Value // the same where nothing is personal
}

func (c *coder) blank() *blank {
	if b, ok := c.blanks.Get().(*blank); ok {
		return b
	}
	b := &blank{value: reflect.New(c.goType).Elem()}
	if b.stored = b.value; c.plan != nil {
		b.stored = reflect.New(c.plan.root.twin).Elem()
	}
	return b
}

// parse reads an event without its personal fields.
func (c *coder) parse(data []byte) (event any, err error) {
	b := c.blank()
	defer func() {
		b.value.SetZero()
		b.stored.SetZero()
		c.blanks.Put(b)
	}()
	if c.plan == nil {
		err = json.Unmarshal(data, b.value.Addr().Interface())
	} else if err = unmarshal(data, b.stored); err == nil {
		c.plan.root.walk(&walk{sealed: true}, b.value, b.stored)
	}
	if err != nil {
		return nil, err
	}
	return b.value.Interface(), nil
}

// unmarshal is json.Unmarshal into a twin, except that each json.RawMessage in it, what
// is sealed, is a part of data.
func unmarshal(data []byte, to reflect.Value) error {
	rest, err := json.Parse(data, to.Addr().Interface(), json.DontCopyRawMessage)
	if err == nil && len(rest) > 0 {
		return json.Unmarshal(data, to.Addr().Interface()) // which says what is wrong
	}
	return err
}
