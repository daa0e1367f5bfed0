package eventstore

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// document is an event and its stored twin, with what is to be sealed or opened
// between the two.
type document struct {
	value, stored reflect.Value
	spots         []spot
}

// take makes the document of a value, its personal fields yet to be sealed.
func (p *plan) take(value reflect.Value) document {
	d := document{value: value, stored: reflect.New(p.root.twin).Elem()}
	w := walk{toStored: true}
	p.root.walk(&w, d.value, d.stored)
	d.spots = w.spots
	return d
}

// parse makes the document of stored JSON, its personal fields yet to be opened.
func (p *plan) parse(data []byte, t reflect.Type) (document, error) {
	d := document{value: reflect.New(t).Elem(), stored: reflect.New(p.root.twin).Elem()}
	if err := unmarshal(data, d.stored); err != nil {
		return document{}, err
	}
	w := walk{}
	p.root.walk(&w, d.value, d.stored)
	d.spots = w.spots
	return d, nil
}

// walk carries the plain fields from one twin to the other and collects the
// personal ones.
type walk struct {
	toStored bool
	sealed   bool            // the personal ones are left out
	scope    []reflect.Value // the values of the structs around, outermost first
	indices  []int
	spots    []spot
}

func (p *structPlan) stored() reflect.Type { return p.twin }

func (p *structPlan) walk(w *walk, value, stored reflect.Value) {
	w.scope = append(w.scope, value)
	for _, f := range p.fields {
		v, s := value.Field(f.value), stored.Field(f.twin)
		switch {
		case f.personal != nil && w.sealed:
		case f.personal != nil:
			subject := w.scope[f.personal.level].FieldByIndex(f.personal.subject)
			w.spots = append(w.spots, spot{v, s, subject, f.personal, slices.Clone(w.indices)})
		case f.part != nil:
			f.part.walk(w, v, s)
		case w.toStored:
			s.Set(v)
		default:
			v.Set(s)
		}
	}
	w.scope = w.scope[:len(w.scope)-1]
}

type pointerPlan struct{ elem part }

func (p pointerPlan) stored() reflect.Type { return reflect.PointerTo(p.elem.stored()) }

func (p pointerPlan) walk(w *walk, value, stored reflect.Value) {
	from, to := stored, value
	if w.toStored {
		from, to = value, stored
	}
	if from.IsNil() {
		return
	}
	to.Set(reflect.New(to.Type().Elem()))
	p.elem.walk(w, value.Elem(), stored.Elem())
}

type slicePlan struct{ elem part }

func (p slicePlan) stored() reflect.Type { return reflect.SliceOf(p.elem.stored()) }

func (p slicePlan) walk(w *walk, value, stored reflect.Value) {
	from, to := stored, value
	if w.toStored {
		from, to = value, stored
	}
	if from.IsNil() {
		return
	}
	to.Set(reflect.MakeSlice(to.Type(), from.Len(), from.Len()))
	for i := range from.Len() {
		w.indices = append(w.indices, i)
		p.elem.walk(w, value.Index(i), stored.Index(i))
		w.indices = w.indices[:len(w.indices)-1]
	}
}

// place is the path of a spot for people: lines[2].note.
func (s spot) place() string {
	path := s.field.path
	for _, i := range s.indices {
		path = strings.Replace(path, "[]", "["+strconv.Itoa(i)+"]", 1)
	}
	return path
}
