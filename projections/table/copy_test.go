package table_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"portal.example/internal/postgres"
	"portal.example/projections/table"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 123456000, time.UTC)

// connect makes a table of all kinds of columns.
func connect(ctx context.Context, t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(ctx, postgres.ForTest(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(ctx)) })
	if _, err := conn.Exec(ctx, `CREATE TABLE thing (n bigint, text text, id uuid, at timestamptz, doc jsonb)`); err != nil {
		t.Fatal(err)
	}
	return conn
}

func write(ctx context.Context, conn *pgx.Conn, rows int, row func(*table.Row, int) error) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		return table.Copy(ctx, tx, "thing", []string{"n", "text", "id", "at", "doc"}, rows, row)
	})
}

func TestCopiedRowsAreThoseWritten(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn := connect(ctx, t)
	id := func(i int) uuid.UUID { return uuid.NewSHA1(uuid.Nil, fmt.Append(nil, i)) }
	for _, rows := range []int{0, 1, 5_000} { // none, one, and several times what is sent at once
		if _, err := conn.Exec(ctx, "TRUNCATE thing"); err != nil {
			t.Fatal(err)
		}
		// One is larger by itself than what is sent at once.
		text := func(i int) string { return strings.Repeat("ö", i%100+200_000*(i/4_999)) }
		err := write(ctx, conn, rows, func(row *table.Row, i int) error {
			row.Int(int64(-i))
			row.Text(text(i))
			row.UUID(id(i))
			row.Time(noon.Add(time.Duration(i) * time.Second))
			row.JSON(fmt.Appendf(nil, `{"i": %d}`, i))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var i, n int
		var said, document string
		var was uuid.UUID
		var at time.Time
		found, err := conn.Query(ctx, `SELECT n, text, id, at, doc FROM thing ORDER BY n DESC`)
		if err != nil {
			t.Fatal(err)
		}
		_, err = pgx.ForEachRow(found, []any{&n, &said, &was, &at, &document}, func() error {
			var doc struct{ I int }
			if err := json.Unmarshal([]byte(document), &doc); err != nil {
				return err
			}
			if n != -i || said != text(i) || was != id(i) || !at.Equal(noon.Add(time.Duration(i)*time.Second)) || doc.I != i {
				t.Errorf("row %d is %d, %d bytes, %s, %s, %s", i, n, len(said), was, at, document)
			}
			i++
			return nil
		})
		if err != nil || i != rows {
			t.Errorf("%d rows of %d, %v", i, rows, err)
		}
	}
}

func TestARowThatCannotBeWrittenIsTold(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn := connect(ctx, t)
	mine := errors.New("this one")
	rowUpTo := func(bad int, fail func() error) func(*table.Row, int) error {
		return func(row *table.Row, i int) error {
			if i == bad {
				return fail()
			}
			row.Int(0)
			row.Text(strings.Repeat("x", 100))
			row.UUID(uuid.Nil)
			row.Time(noon)
			row.JSON([]byte("{}"))
			return nil
		}
	}
	for _, bad := range []int{0, 3_000} { // at once, and after much has been sent
		if err := write(ctx, conn, 5_000, rowUpTo(bad, func() error { return mine })); !errors.Is(err, mine) {
			t.Errorf("row %d: %v", bad, err)
		}
		err := write(ctx, conn, 5_000, rowUpTo(bad, func() error { panic("at the disco") }))
		var panicked *table.Panicked
		if !errors.As(err, &panicked) || err.Error() != "panic: at the disco" || !strings.Contains(panicked.Stack(), "copy_test.go") {
			t.Errorf("row %d: %v", bad, err)
		}
	}
	var n int
	if err := conn.QueryRow(ctx, `SELECT count(*) FROM thing`).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows are there, %v", n, err)
	}
}
