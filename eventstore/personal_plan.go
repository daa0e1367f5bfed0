package eventstore

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
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

// interfaceIn names a field in whose value anything could stand, personal fields
// among it, and is empty where there is none.
func interfaceIn(t reflect.Type, path string, seen []reflect.Type) string {
	if slices.Contains(seen, t) {
		return ""
	}
	seen = append(seen, t)
	switch t.Kind() {
	case reflect.Interface:
		return path
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return interfaceIn(t.Elem(), path, seen)
	case reflect.Struct:
		for f := range t.Fields() {
			if found := interfaceIn(f.Type, join(path, f.Name), seen); found != "" {
				return found
			}
		}
	}
	return ""
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
