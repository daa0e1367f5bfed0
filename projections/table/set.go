package table

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"portal.example/eventstore"
)

// Set holds the rows that a batch is about while the batch is folded into them.
type Set[R any] struct {
	table   *Table[R]
	rows    map[string]*R
	touched map[string]bool
	order   []string // of those touched
}

// Open loads the rows with these ids; key is a row's name within the set.
func (t *Table[R]) Open(ctx context.Context, tx pgx.Tx, ids []string, key func(*R) string) (*Set[R], error) {
	loaded, err := t.Load(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	s := &Set[R]{table: t, rows: make(map[string]*R, len(ids)), touched: make(map[string]bool, len(ids))}
	for _, row := range loaded {
		s.rows[key(row)] = row
	}
	return s, nil
}

// Add puts a new row into the set.
func (s *Set[R]) Add(key string, row *R) {
	s.rows[key] = row
	s.touch(key)
}

// Edit is a row to be changed. That there is none is an error, because a
// stream's first event makes the row.
func (s *Set[R]) Edit(key string) (*R, error) {
	row, ok := s.rows[key]
	if !ok {
		return nil, fmt.Errorf("there is no row for %s", key)
	}
	s.touch(key)
	return row, nil
}

func (s *Set[R]) touch(key string) {
	if !s.touched[key] {
		s.touched[key] = true
		s.order = append(s.order, key)
	}
}

// Touched are the rows that were added or edited, in the order of their first
// change.
func (s *Set[R]) Touched() []*R {
	rows := make([]*R, len(s.order))
	for i, key := range s.order {
		rows[i] = s.rows[key]
	}
	return rows
}

// Store stores the rows that were added or edited.
func (s *Set[R]) Store(ctx context.Context, tx pgx.Tx) error {
	return s.table.Store(ctx, tx, s.Touched())
}

// IDs are the ids of the records that a batch is about, each once: what their
// streams are called after the category.
func IDs(batch []eventstore.Decoded) []string {
	seen := make(map[string]bool, len(batch))
	var ids []string
	for i := range batch {
		if id := ID(&batch[i]); !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}

// ID is the id of the record that the event is about.
func ID(d *eventstore.Decoded) string {
	_, id, _ := strings.Cut(d.Record.Stream, "-")
	return id
}

// OriginOf is where a row that this event changes comes from.
func OriginOf(d *eventstore.Decoded) Origin {
	return Origin{Business: d.Metadata.Business, Stream: d.Record.Stream, Position: int64(d.Record.Position.Commit)}
}

// Names are the names of events.
func Names[E any](types map[string]E) []string {
	return slices.Sorted(maps.Keys(types))
}

// Category is the category of the event's stream.
func Category(d *eventstore.Decoded) string {
	category, _, _ := strings.Cut(d.Record.Stream, "-")
	return category
}
