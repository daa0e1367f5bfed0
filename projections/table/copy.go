package table

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"portal.example/internal/database"
)

// Copy adds n rows by Postgres's binary COPY, the fastest way in for rows that
// are only ever added. write fills in row i, column by column in their order. It
// is called while Postgres is at work on the rows before, and its error is
// Copy's.
func Copy(ctx context.Context, tx pgx.Tx, table string, columns []string, n int, write func(row *Row, i int) error) error {
	if n == 0 {
		return nil
	}
	const signature = "PGCOPY\n\xff\r\n\x00" // then flags and the length of a header extension, both zero
	rows := &rows{columns: len(columns), n: n, write: write}
	buffer := buffers.Get().(*[]byte)
	rows.row.buf = append(append((*buffer)[:0], signature...), 0, 0, 0, 0, 0, 0, 0, 0)
	err := database.Copy(ctx, tx, table, columns, rows)
	if err == nil { // else the driver may still be reading
		*buffer = rows.row.buf
		buffers.Put(buffer)
	}
	if failed := rows.failed.Load(); failed != nil {
		return *failed
	}
	return err
}

// chunk is about how many bytes of rows are made at a time: a little less than what
// the driver sends at once, so that the end of the last row does not go by itself.
const chunk = 60 << 10

// buffers are used again, because most copies are of a row or a few. A row can make
// one larger; the collector takes it in time.
var buffers = sync.Pool{New: func() any {
	buffer := make([]byte, 0, 2*chunk)
	return &buffer
}}

// rows makes rows as they are read. It writes the format itself: going through
// the driver's general codecs takes nearly twice as long.
type rows struct {
	columns, n int
	write      func(*Row, int) error

	next   int // row to be made
	row    Row
	unread []byte
	failed atomic.Pointer[error] // the driver reads in a goroutine of its own
}

func (r *rows) Read(p []byte) (int, error) {
	if len(r.unread) == 0 {
		if r.next > r.n {
			return 0, io.EOF
		}
		if err := r.make(); err != nil {
			r.failed.Store(&err)
			return 0, err
		}
	}
	n := copy(p, r.unread)
	r.unread = r.unread[n:]
	return n, nil
}

func (r *rows) make() (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &Panicked{Value: value, stack: string(debug.Stack())}
		}
	}()
	if r.next > 0 { // else the header is there
		r.row.buf = r.row.buf[:0]
	}
	for ; r.next < r.n && len(r.row.buf) < chunk; r.next++ {
		r.row.buf = binary.BigEndian.AppendUint16(r.row.buf, uint16(r.columns))
		if err := r.write(&r.row, r.next); err != nil {
			return err
		}
	}
	if r.next == r.n {
		r.row.buf = append(r.row.buf, 0xff, 0xff) // the trailer: a row of -1 columns
		r.next++
	}
	r.unread = r.row.buf
	return nil
}

// Panicked is a panic that came from a row.
type Panicked struct {
	Value any
	stack string
}

func (p *Panicked) Error() string { return fmt.Sprintf("panic: %v", p.Value) }

// Stack says where it was.
func (p *Panicked) Stack() string { return p.stack }

// Row is one row in Postgres's binary format.
type Row struct{ buf []byte }

// Text is a column of type text.
func (r *Row) Text(s string) {
	r.length(len(s))
	r.buf = append(r.buf, s...)
}

// Int is a column of type bigint.
func (r *Row) Int(n int64) {
	r.length(8)
	r.buf = binary.BigEndian.AppendUint64(r.buf, uint64(n))
}

// UUID is a column of type uuid.
func (r *Row) UUID(id uuid.UUID) {
	r.length(len(id))
	r.buf = append(r.buf, id[:]...)
}

// epoch is Postgres's: timestamps count microseconds from there.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Time is a column of type timestamptz.
func (r *Row) Time(t time.Time) {
	r.Int(t.UnixMicro() - epoch.UnixMicro())
}

// JSON is a column of type jsonb.
func (r *Row) JSON(document []byte) {
	const version = 1
	r.length(1 + len(document))
	r.buf = append(append(r.buf, version), document...)
}

func (r *Row) length(n int) {
	r.buf = binary.BigEndian.AppendUint32(r.buf, uint32(n))
}
