package eventstore

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// plan says how the values of one type that has personal fields are stored.
// encoding/json never sees the type itself, but a twin in which every personal
// field is a json.RawMessage, so that names, omission and order are
// encoding/json's own affair. A plan is made once, when its type is registered.
type plan struct {
	root *structPlan
}

// newPlan returns nil for a type without personal fields. The prefix keeps
// apart the places of documents that share an event's id.
func newPlan(t reflect.Type, prefix string) (*plan, error) {
	if !hasPersonal(t, nil) {
		return nil, nil
	}
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("personal fields in %s, which is no struct", t)
	}
	root, err := compileStruct(t, nil, prefix)
	if err != nil {
		return nil, err
	}
	return &plan{root}, nil
}

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
	if err := json.Unmarshal(data, d.stored.Addr().Interface()); err != nil {
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
	scope    []reflect.Value // the values of the structs around, outermost first
	indices  []int
	spots    []spot
}

// part is the plan of a type within the plan's type.
type part interface {
	stored() reflect.Type
	walk(w *walk, value, stored reflect.Value)
}

func compile(t reflect.Type, scope []reflect.Type, path string) (part, error) {
	switch t.Kind() {
	case reflect.Struct:
		return compileStruct(t, scope, path)
	case reflect.Pointer:
		elem, err := compile(t.Elem(), scope, path)
		return pointerPlan{elem}, err
	case reflect.Slice:
		elem, err := compile(t.Elem(), scope, path+"[]")
		return slicePlan{elem}, err
	default:
		return nil, fmt.Errorf("%s: personal fields cannot be kept inside a %s", path, t)
	}
}

type structPlan struct {
	twin   reflect.Type
	fields []fieldPlan
}

// fieldPlan is personal, or has parts that are, or is plain where both are nil.
type fieldPlan struct {
	value, twin int
	personal    *personalField
	part        part
}

type personalField struct {
	path, formerly string // from the event's root, [] for each slice
	level          int    // of the struct that names the subject, from the outermost
	subject        []int  // index of the field in it
}

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

func compileStruct(t reflect.Type, scope []reflect.Type, path string) (*structPlan, error) {
	if slices.Contains(scope, t) {
		return nil, fmt.Errorf("%s contains itself and has personal fields", t)
	}
	if p := reflect.PointerTo(t); p.Implements(jsonMarshaler) || p.Implements(textMarshaler) {
		return nil, fmt.Errorf("%s has personal fields and a marshaller of its own that would pass them by", t)
	}
	scope = append(slices.Clip(scope), t)
	plan := &structPlan{}
	var twins []reflect.StructField
	for i := range t.NumField() {
		f := t.Field(i)
		name, stored, err := storedName(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t, err)
		}
		if !stored {
			continue
		}
		field, twin, err := compileField(f, scope, join(path, name))
		if err != nil {
			return nil, err
		}
		field.value, field.twin = i, len(twins)
		plan.fields = append(plan.fields, field)
		twins = append(twins, reflect.StructField{Name: f.Name, Type: twin, Tag: f.Tag})
	}
	plan.twin = reflect.StructOf(twins)
	return plan, nil
}

// storedName is a field's name in JSON; not every field has one.
func storedName(f reflect.StructField) (name string, stored bool, err error) {
	name, _, _ = strings.Cut(f.Tag.Get("json"), ",")
	_, personal := f.Tag.Lookup("personal")
	switch {
	case f.Anonymous:
		return "", false, fmt.Errorf("%s: a struct with personal fields embeds nothing", f.Name)
	case f.IsExported() && f.Tag.Get("json") != "-":
	case personal:
		return "", false, fmt.Errorf("%s is personal but not stored", f.Name)
	default:
		return "", false, nil
	}
	if name == "" {
		name = f.Name
	}
	return name, true, nil
}

func compileField(f reflect.StructField, scope []reflect.Type, path string) (fieldPlan, reflect.Type, error) {
	tag, personal := f.Tag.Lookup("personal")
	switch inner := hasPersonal(f.Type, nil); {
	case personal && inner:
		return fieldPlan{}, nil, fmt.Errorf("%s: personal fields within a personal field", path)
	case personal:
		level, index, err := findSubject(scope, tag)
		if err != nil {
			return fieldPlan{}, nil, fmt.Errorf("%s: %w", path, err)
		}
		field := &personalField{path: path, formerly: f.Tag.Get("formerly"), level: level, subject: index}
		return fieldPlan{personal: field}, reflect.TypeFor[json.RawMessage](), nil
	case inner:
		part, err := compile(f.Type, scope, path)
		if err != nil {
			return fieldPlan{}, nil, err
		}
		return fieldPlan{part: part}, part.stored(), nil
	default:
		return fieldPlan{}, f.Type, nil
	}
}

// findSubject looks a dotted name up from the innermost struct outwards.
func findSubject(scope []reflect.Type, name string) (level int, index []int, err error) {
	first, _, _ := strings.Cut(name, ".")
	for level := len(scope) - 1; level >= 0; level-- {
		if _, here := scope[level].FieldByName(first); !here {
			continue
		}
		t, f := scope[level], reflect.StructField{}
		for step := range strings.SplitSeq(name, ".") {
			known := t.Kind() == reflect.Struct
			if known {
				f, known = t.FieldByName(step)
			}
			if !known || !f.IsExported() || f.Anonymous {
				return 0, nil, fmt.Errorf("no exported field %s for the subject", name)
			}
			index, t = append(index, f.Index...), f.Type
		}
		if _, personal := f.Tag.Lookup("personal"); personal || t.Kind() != reflect.String {
			return 0, nil, fmt.Errorf("the subject's field %s must be a string in the clear", name)
		}
		return level, index, nil
	}
	return 0, nil, fmt.Errorf("no field %s for the subject", name)
}

func (p *structPlan) stored() reflect.Type { return p.twin }

func (p *structPlan) walk(w *walk, value, stored reflect.Value) {
	w.scope = append(w.scope, value)
	for _, f := range p.fields {
		v, s := value.Field(f.value), stored.Field(f.twin)
		switch {
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

// hasPersonal looks everywhere, also where personal fields cannot be kept, so
// that none is ever stored in the clear by oversight.
func hasPersonal(t reflect.Type, seen []reflect.Type) bool {
	if slices.Contains(seen, t) {
		return false
	}
	seen = append(seen, t)
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return hasPersonal(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if _, personal := f.Tag.Lookup("personal"); personal || hasPersonal(f.Type, seen) {
				return true
			}
		}
		return false
	default:
		return false
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

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
