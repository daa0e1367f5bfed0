package database

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Rows are table rows in the form of Postgres's binary COPY, filled column by
// column in the order of the table's columns that Copy is told. Doing so by
// hand costs about half of what finding out each value's type does.
//
// A column that gets a value of another type makes COPY fail, or worse, take it
// for something else: bigint and timestamptz are both eight bytes.
type Rows struct {
	buf     bytes.Buffer
	columns int
}

// copyHeader is the signature, no flags, no extension.
const copyHeader = "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// NewRows makes room for rows of so many columns.
func NewRows(columns int) *Rows {
	r := &Rows{columns: columns}
	r.buf.WriteString(copyHeader)
	return r
}

// Next begins a row; as many values as there are columns must follow.
func (r *Rows) Next() { r.uint16(uint16(r.columns)) }

// Text adds a value of type text.
func (r *Rows) Text(s string) {
	r.uint32(uint32(len(s)))
	r.buf.WriteString(s)
}

// TextOrNull adds a value of type text, NULL where it is empty.
func (r *Rows) TextOrNull(s string) {
	if s == "" {
		r.Null()
		return
	}
	r.Text(s)
}

// Int adds a value of type bigint.
func (r *Rows) Int(n int64) {
	r.uint32(8)
	r.uint64(uint64(n))
}

// Bool adds a value of type boolean.
func (r *Rows) Bool(b bool) {
	r.uint32(1)
	if b {
		r.buf.WriteByte(1)
	} else {
		r.buf.WriteByte(0)
	}
}

// UUID adds a value of type uuid.
func (r *Rows) UUID(id uuid.UUID) {
	r.uint32(16)
	r.buf.Write(id[:])
}

// JSON adds a value of type jsonb.
func (r *Rows) JSON(document []byte) {
	r.uint32(uint32(len(document) + 1))
	r.buf.WriteByte(1) // version of the format
	r.buf.Write(document)
}

// postgresEpoch is where Postgres counts its microseconds from.
var postgresEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

// Time adds a value of type timestamptz.
func (r *Rows) Time(t time.Time) { r.Int(t.UnixMicro() - postgresEpoch) }

// TimeOrNull adds a value of type timestamptz, NULL for the zero time.
func (r *Rows) TimeOrNull(t time.Time) {
	if t.IsZero() {
		r.Null()
		return
	}
	r.Time(t)
}

// Null adds NULL, of whatever type.
func (r *Rows) Null() { r.uint32(0xffff_ffff) }

func (r *Rows) uint16(n uint16) {
	r.buf.Write(binary.BigEndian.AppendUint16(r.buf.AvailableBuffer(), n))
}
func (r *Rows) uint32(n uint32) {
	r.buf.Write(binary.BigEndian.AppendUint32(r.buf.AvailableBuffer(), n))
}
func (r *Rows) uint64(n uint64) {
	r.buf.Write(binary.BigEndian.AppendUint64(r.buf.AvailableBuffer(), n))
}

// Copy adds the rows to the table, which is found by the search path. It is the
// fastest way in for rows that are all new; the rows can be copied once.
//
// Postgres does not COPY into a table whose row-level security binds the user,
// which it does unless they are a superuser or have BYPASSRLS. The rows then
// take the way through a temporary table, at about twice the cost.
func Copy(ctx context.Context, tx pgx.Tx, table string, columns []string, rows *Rows) error {
	rows.uint16(0xffff) // the end
	names := make([]byte, 0, 16*len(columns))
	for i, c := range columns {
		if i > 0 {
			names = append(names, ',')
		}
		names = append(names, pgx.Identifier{c}.Sanitize()...)
	}
	var bound bool
	if err := tx.QueryRow(ctx, `SELECT row_security_active($1::text)`, table).Scan(&bound); err != nil {
		return fmt.Errorf("database: copying into %s: %w", table, err)
	}
	name := pgx.Identifier{table}.Sanitize()
	if err := copyInto(ctx, tx, name, string(names), bound, rows); err != nil {
		return fmt.Errorf("database: copying into %s: %w", table, err)
	}
	return nil
}

func copyInto(ctx context.Context, tx pgx.Tx, table, columns string, bound bool, rows *Rows) error {
	target := table
	if bound {
		target = "pg_temp.incoming"
		if _, err := tx.Exec(ctx, `CREATE TEMPORARY TABLE incoming ON COMMIT DROP AS SELECT `+columns+
			` FROM `+table+` WITH NO DATA`); err != nil {
			return err
		}
	}
	_, err := tx.Conn().PgConn().CopyFrom(ctx, &rows.buf, `COPY `+target+` (`+columns+`) FROM STDIN (FORMAT binary)`)
	if err != nil || !bound {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO `+table+` (`+columns+`) SELECT * FROM `+target+`; DROP TABLE `+target)
	return err
}
