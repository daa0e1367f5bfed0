package readapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"portal.example/internal/api"
	"portal.example/projections"
)

// Tables knows the tables of the projections that analysts installed.
type Tables interface {
	// Table finds one by its name; false where there is none.
	Table(ctx context.Context, name string) (projections.Table, bool, error)
}

type tableInput struct {
	api.Waiting
	Page
	Name string `path:"table" pattern:"^[a-z][a-z0-9_]{0,39}$" doc:"a table of a projection that an analyst wrote"`
}

// registerTables is for those who ask questions of their own; the tables know
// nothing of what a customer may see.
func registerTables(a huma.API, d Deps) {
	if d.Tables == nil {
		return
	}
	huma.Register(a, get(a, "list-rows", "/tables/{table}", "List the rows of an analyst's table, by its primary key",
		[]api.Role{api.Owner, api.Analyst, api.Auditor}), d.rows)
}

func (d Deps) rows(ctx context.Context, in *tableInput) (*List[json.RawMessage], error) {
	table, found, err := d.Tables.Table(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, notFound("table")
	}
	after, err := in.afterRow(table)
	if err != nil {
		return nil, err
	}
	var rows []tableRow
	asOf, err := d.read(ctx, in.Waiting, []string{table.Projection}, func(r *reader) error {
		sql, args := rowsQuery(table, after, in.Limit)
		r.queue(func(found pgx.Rows) (err error) {
			rows, err = pgx.CollectRows(found, pgx.RowToStructByPos[tableRow])
			return err
		}, sql, args...)
		return nil
	})
	var refused *pgconn.PgError
	if after != nil && errors.As(err, &refused) && refused.Code[:2] == "22" { // what a key's type cannot hold
		return nil, wrongCursor()
	}
	if err != nil {
		return nil, err
	}
	out := &List[json.RawMessage]{AsOf: asOf, Body: Items[json.RawMessage]{Items: []json.RawMessage{}}}
	for i, row := range rows[:min(len(rows), in.Limit)] {
		out.Body.Items = append(out.Body.Items, row.Row)
		if i == in.Limit-1 && len(rows) > in.Limit {
			out.Body.Next = rowPlace{table.Name, row.Key}.cursor()
		}
	}
	return out, nil
}

type tableRow struct {
	Row json.RawMessage
	Key []string
}

func rowsQuery(t projections.Table, after []string, limit int) (string, []any) {
	var names, texts, marks []string
	var args []any
	for i, column := range t.Key {
		name := pgx.Identifier{column.Name}.Sanitize()
		names, texts = append(names, name), append(texts, name+"::text")
		marks = append(marks, fmt.Sprintf("$%d::text::%s", i+1, column.Type))
	}
	q := fmt.Sprintf("SELECT to_jsonb(t), ARRAY[%s] FROM %s t", strings.Join(texts, ", "), pgx.Identifier{t.Name}.Sanitize())
	key := strings.Join(names, ", ")
	if after != nil {
		q += fmt.Sprintf(" WHERE (%s) > (%s)", key, strings.Join(marks, ", "))
		for _, value := range after {
			args = append(args, value)
		}
	}
	return fmt.Sprintf("%s ORDER BY %s LIMIT %d", q, key, limit+1), args
}

// rowPlace is where a page of rows ends: the key of its last row.
type rowPlace struct {
	Table string   `json:"l"`
	Key   []string `json:"k"`
}

func (p rowPlace) cursor() string {
	encoded, err := json.Marshal(p)
	if err != nil {
		return "" // texts can be encoded
	}
	return base64.RawURLEncoding.EncodeToString(encoded)
}

// afterRow is the key that the cursor names; nil on the first page.
func (p Page) afterRow(t projections.Table) ([]string, error) {
	if p.Cursor == "" {
		return nil, nil
	}
	var at rowPlace
	decoded, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	if err == nil {
		err = json.Unmarshal(decoded, &at)
	}
	if err != nil || at.Table != t.Name || len(at.Key) != len(t.Key) || !plain(strings.Join(at.Key, "")) {
		return nil, wrongCursor()
	}
	return at.Key, nil
}
