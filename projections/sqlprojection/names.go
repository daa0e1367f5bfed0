package sqlprojection

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// checkNames demands that the definition's name is free, and that there are
// events of its types.
func (d *Definition) checkNames(checks Checks) error {
	var errs []error
	if slices.Contains(checks.Taken, d.Name) {
		errs = append(errs, &Problem{Message: fmt.Sprintf("name: the portal itself has a projection %s", d.Name)})
	}
	for _, s := range d.statements {
		for i, name := range s.types {
			if slices.Contains(checks.Types, name) {
				continue
			}
			p := d.problemf(s.typed[i], "on: there are no events of type %s", name)
			if like := alike(checks.Types, name); len(like) > 0 {
				p.Hint = "there are " + strings.Join(like, ", ")
			}
			errs = append(errs, p)
		}
	}
	return errors.Join(errs...)
}

// alike are the names that contain this one, or the first word of it.
func alike(names []string, name string) (like []string) {
	words := strings.FieldsFunc(name, func(r rune) bool { return r >= 'A' && r <= 'Z' })
	first := name
	if len(words) > 0 {
		first = name[:min(len(name), len(words[0])+1)]
	}
	for _, known := range names {
		if strings.HasPrefix(strings.ToLower(known), strings.ToLower(first)) {
			like = append(like, known)
		}
	}
	slices.Sort(like)
	return like
}
