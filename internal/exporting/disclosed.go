package exporting

import (
	"errors"
	"strings"
)

// ErrPersonal says that an export needs the right to personal data.
var ErrPersonal = errors.New("its rows are told apart by what may be personal data")

// Disclosed says which columns tell nothing about a person, by table. It is
// asked only about texts and JSON, which can: figures, times and ids are not
// left out.
type Disclosed func(table, column string) bool

// open tells whether everybody who may export may have the column. What nobody
// has thought about is not open.
func (c stored) open(table string, disclosed Disclosed) bool {
	switch kindOf(c.Type) {
	case Text, JSON:
	default:
		return true
	}
	return c.Type == "uuid" || c.Type == "numeric" || c.Name == "_stream" || strings.HasSuffix(c.Name, "_id") ||
		disclosed != nil && disclosed(table, c.Name)
}
