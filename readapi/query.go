package readapi

import (
	"fmt"
	"strconv"
	"strings"
)

// query is a SELECT in the making.
type query struct {
	where []string
	args  []any
}

// and adds a condition; every ? in it stands for the next of args. Nothing that
// Postgres holds is like a text that it cannot hold.
func (q *query) and(condition string, args ...any) {
	for _, arg := range args {
		if text, ok := arg.(string); ok && !plain(text) {
			q.where = append(q.where, "false")
			return
		}
	}
	var text strings.Builder
	for _, arg := range args {
		before, after, _ := strings.Cut(condition, "?")
		q.args = append(q.args, arg)
		text.WriteString(before + "$" + strconv.Itoa(len(q.args)))
		condition = after
	}
	text.WriteString(condition)
	q.where = append(q.where, "("+text.String()+")")
}

// equal adds a condition where the request has a value for it.
func (q *query) equal(column, value string) {
	if value != "" {
		q.and(column+" = ?", value)
	}
}

// search adds a condition that one of the columns contains the text.
func (q *query) search(text string, columns ...string) {
	if text == "" {
		return
	}
	pattern := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
	conditions := make([]string, len(columns))
	args := make([]any, len(columns))
	for i, column := range columns {
		conditions[i], args[i] = column+" ILIKE ?", pattern
	}
	q.and(strings.Join(conditions, " OR "), args...)
}

// newest adds the keyset condition of a list from the newest to the oldest.
func (q *query) newest(after *place, time, id string) {
	if after != nil {
		q.and(fmt.Sprintf("(%s, %s) < (?, ?)", time, id), after.At, after.ID)
	}
}

// sql is the whole query. One row more than the limit tells whether there is
// another page.
func (q *query) sql(selection, order string, limit int) (string, []any) {
	condition := "true"
	if len(q.where) > 0 {
		condition = strings.Join(q.where, " AND ")
	}
	return fmt.Sprintf("%s WHERE %s ORDER BY %s LIMIT %d", selection, condition, order, limit+1), q.args
}

// plain says whether Postgres can hold the text: it has no NUL in it.
func plain(s string) bool { return !strings.Contains(s, "\x00") && strings.ToValidUTF8(s, "") == s }
