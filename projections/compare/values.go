package compare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Change is a value that differs: a column, or a place within a column of JSON,
// such as details.charges[1].amount. From is null where the old build has none,
// To where the new one has none.
type Change struct {
	Name   string `json:"column"`
	From   any    `json:"from"`
	To     any    `json:"to"`
	Hidden bool   `json:"hidden,omitempty"` // a text in it is withheld, for it may be personal
}

// hidden stands in the place of a text that may be personal.
const hidden = "(hidden)"

// maxChanges bounds how many places of one column of JSON are listed.
const maxChanges = 40

// same says whether two values mean the same, as far as numbers are written
// differently by different types.
func same(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, isNumber := new(big.Rat).SetString(string(a))
	y, areNumbers := new(big.Rat).SetString(string(b))
	return isNumber && areNumbers && x.Cmp(y) == 0
}

// sameRow says whether two rows have the same in all of the columns. No row is
// like no row only.
func sameRow(a, b Row, columns []string) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return !slices.ContainsFunc(columns, func(c string) bool { return !same(a[c], b[c]) })
}

// discretion is what of a row may be shown. Texts may be personal: they are
// shown where they cannot be, where a fold without any personal field comes to
// the same text, or where the caller may see everything.
type discretion struct {
	everything bool
	disclosed  Disclosed
	table      string
	proofs     []Row // the same row, folded without personal fields
}

// Disclosed says of a column with texts that they tell nothing about a person.
// nil says so of none.
type Disclosed func(table, column string) bool

// free says whether all of the column may be shown.
func (d discretion) free(c column) bool {
	return d.everything || c.harmless() || d.disclosed != nil && d.disclosed(d.table, c.name)
}

// changes lists what differs between two versions of a row.
func (d discretion) changes(was, is Row, columns []column) []Change {
	var list []Change
	for _, c := range columns {
		from, to := decoded(was[c.name]), decoded(is[c.name])
		if was != nil && is != nil && same(was[c.name], is[c.name]) {
			continue
		}
		var proofs []any
		for _, row := range d.proofs {
			proofs = append(proofs, decoded(row[c.name]))
		}
		rule := rule{free: d.free(c), proofs: proofs}
		if was != nil && is != nil {
			list = append(list, rule.within(c.name, from, to)...)
		} else if change := rule.change(c.name, from, to); from != nil || to != nil {
			list = append(list, change)
		}
	}
	return list
}

func decoded(value json.RawMessage) any {
	if value == nil {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return nil // not reached: Postgres has made it
	}
	return v
}

// harmless says whether nothing in the column can be personal: it holds no
// text, or ids.
func (c column) harmless() bool {
	return strings.Contains("NDTBE", c.category) || c.typ == "uuid" || c.name == "_stream" || strings.HasSuffix(c.name, "_id")
}

// rule is what of a value may be shown.
type rule struct {
	free   bool
	proofs []any
}

func (r rule) change(name string, from, to any) Change {
	shownFrom, hidFrom := r.show(from)
	shownTo, hidTo := r.show(to)
	return Change{Name: name, From: shownFrom, To: shownTo, Hidden: hidFrom || hidTo}
}

// show is the value with what has to be hidden replaced.
func (r rule) show(value any) (shown any, hid bool) {
	if r.free {
		return value, false
	}
	switch v := value.(type) {
	case string:
		if plainText(v) || slices.ContainsFunc(r.proofs, func(p any) bool { return p == value }) {
			return v, false
		}
		return hidden, true
	case []any:
		list := make([]any, len(v))
		for i := range v {
			var h bool
			list[i], h = r.at(i).show(v[i])
			hid = hid || h
		}
		return list, hid
	case map[string]any:
		object := make(map[string]any, len(v))
		for key := range v {
			var h bool
			object[key], h = r.in(key).show(v[key])
			hid = hid || h
		}
		return object, hid
	}
	return value, false
}

// plainText says whether a text in JSON cannot be personal: it is empty, an id
// or a time.
func plainText(text string) bool {
	if text == "" || uuid.Validate(text) == nil {
		return true
	}
	_, err := time.Parse(time.RFC3339, text)
	return err == nil
}

// in is the rule for a member of an object, at for one of a list.
func (r rule) in(key string) rule {
	return r.step(func(proof any) any {
		object, _ := proof.(map[string]any)
		return object[key]
	})
}

func (r rule) at(i int) rule {
	return r.step(func(proof any) any {
		if list, _ := proof.([]any); i < len(list) {
			return list[i]
		}
		return nil
	})
}

func (r rule) step(into func(any) any) rule {
	next := rule{free: r.free, proofs: make([]any, len(r.proofs))}
	for i, proof := range r.proofs {
		next.proofs[i] = into(proof)
	}
	return next
}

// within lists the places at which two values differ.
func (r rule) within(name string, from, to any) []Change {
	var list []Change
	r.walk(name, from, to, func(c Change) bool {
		list = append(list, c)
		return len(list) < maxChanges
	})
	return list
}

func (r rule) walk(name string, from, to any, found func(Change) bool) bool {
	if wasObject, ok := from.(map[string]any); ok {
		if isObject, ok := to.(map[string]any); ok {
			both := maps.Clone(wasObject)
			maps.Copy(both, isObject)
			for _, key := range slices.Sorted(maps.Keys(both)) {
				if !r.in(key).walk(name+"."+key, wasObject[key], isObject[key], found) {
					return false
				}
			}
			return true
		}
	}
	if wasList, ok := from.([]any); ok {
		if isList, ok := to.([]any); ok {
			for i := range max(len(wasList), len(isList)) {
				if !r.at(i).walk(fmt.Sprintf("%s[%d]", name, i), element(wasList, i), element(isList, i), found) {
					return false
				}
			}
			return true
		}
	}
	if equal(from, to) {
		return true
	}
	return found(r.change(name, from, to))
}

func element(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}

// equal compares what is no pair of objects or of lists.
func equal(a, b any) bool {
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && same(x, y)
}
