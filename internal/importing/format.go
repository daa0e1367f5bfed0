package importing

import (
	"context"
	"fmt"
	"strconv"

	"portal.example/domain"
)

// Format is a kind of file: its columns and what its rows mean.
type Format struct {
	Name    string
	Columns []string

	about func(caseID string) Subject
	begin func(ctx context.Context, r *run, caseID string) (history, error)
}

// Formats are all that there are, by name.
func Formats() map[string]Format {
	return map[string]Format{Fines.Name: Fines, Requests.Name: Requests}
}

// only notes the columns that are filled and should not be: what they say would
// be lost.
func (r Row) only(check *domain.Check, activity string, columns ...string) {
	belongs := map[string]bool{}
	for _, c := range columns {
		belongs[c] = true
	}
	for _, c := range r.columns {
		if r.field(c) != "" && !belongs[c] {
			check.Fail(c, "out_of_place", fmt.Sprintf("has no meaning with %.60q", activity))
		}
	}
}

// units reads an amount in minor units.
func (r Row) units(check *domain.Check, column string) int64 {
	n, err := strconv.ParseInt(r.field(column), 10, 64)
	if err != nil || n < 0 {
		check.Fail(column, "not_an_amount", "must be a whole number of minor units")
	}
	return n
}
