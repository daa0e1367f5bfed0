package readapi

import (
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"portal.example/internal/api"
)

// Page is embedded in the input of lists.
type Page struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor string `query:"cursor" maxLength:"300" doc:"next of the page before; the filters must be the same"`
}

// List is the output of lists.
type List[T any] struct {
	api.AsOf
	Body Items[T]
}

// Items are one page.
type Items[T any] struct {
	Items []T    `json:"items" nullable:"false"`
	Next  string `json:"next,omitempty" doc:"cursor of the next page; absent on the last one"`
}

// place is where a page ends: the time and what tells rows of one time apart.
// It is a cursor's content, which nobody but this package reads.
type place struct {
	List     string    `json:"l"`
	At       time.Time `json:"t"`
	ID       string    `json:"i,omitempty"`
	Position int64     `json:"p,omitempty"`
	Revision int64     `json:"r,omitempty"`
}

func (p place) cursor() string {
	encoded, err := json.Marshal(p)
	if err != nil {
		return "" // a time beyond the year 9999, which no event has
	}
	return base64.RawURLEncoding.EncodeToString(encoded)
}

// after is the place that the cursor names; nil on the first page.
func (p Page) after(list string) (*place, error) {
	if p.Cursor == "" {
		return nil, nil
	}
	var at place
	decoded, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	if err == nil {
		err = json.Unmarshal(decoded, &at)
	}
	if err != nil || at.List != list || at.At.Year() < 1 || at.At.Year() > 9999 || !plain(at.ID) {
		return nil, wrongCursor()
	}
	return &at, nil
}

func wrongCursor() error {
	return huma.Error422UnprocessableEntity("the request is not acceptable", &huma.ErrorDetail{
		Location: "query.cursor", Message: "must be the next of an earlier page of this list",
	})
}

// cut makes the page of what was found, which is one more than fits where there
// is another page.
func cut[T any](found []T, limit int, end func(T) place) Items[T] {
	items := Items[T]{Items: found}
	if len(found) > limit {
		items.Items = found[:limit]
		items.Next = end(found[limit-1]).cursor()
	}
	if items.Items == nil {
		items.Items = []T{}
	}
	return items
}
