package readapi

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"portal.example/internal/api"
	"portal.example/internal/exporting"
	"portal.example/projections"
)

// exportBytes is about how large an answer gets, before it is encoded. An answer
// is made before it is sent, so that it is whole or a problem.
const exportBytes = 8 << 20

type exportInput struct {
	api.Waiting
	Table    string `path:"table" maxLength:"63" pattern:"^[a-z][a-z0-9_]*$" doc:"table of a read model, such as invoices"`
	Format   string `query:"format" enum:"jsonl,csv,parquet" default:"jsonl"`
	After    string `query:"after" maxLength:"2000" doc:"Portal-Next of the answer before"`
	Limit    int    `query:"limit" minimum:"1" maximum:"50000" default:"10000" doc:"rows; an answer of 8 MiB has fewer"`
	Personal bool   `query:"personal" doc:"with names, addresses and free texts; the portal's log says who had them. Owners only"`
}

type exported struct {
	api.AsOf
	ContentType string `header:"Content-Type"`
	Next        string `header:"Portal-Next" doc:"after of the next answer; absent where there is nothing left"`
	Body        []byte
}

func registerExports(a huma.API, d Deps) {
	o := get(a, "export-table", "/exports/{table}", "Export the rows of a read model",
		[]api.Role{api.Owner, api.Analyst})
	o.Description = "Rows in the order of their keys. Answers joined in the order of their cursors are the whole table, " +
		"complete up to the Portal-As-Of of the first; each is from its own moment. Of CSV only the first has a heading. " +
		"Each answer of Parquet is a file of its own. Texts that may be personal are left out unless asked for."
	binary := &huma.Schema{Type: "string", Format: "binary"}
	o.Responses = map[string]*huma.Response{"200": {Description: "Rows", Content: map[string]*huma.MediaType{}}}
	for _, format := range exporting.Formats {
		o.Responses["200"].Content[format.ContentType()] = &huma.MediaType{Schema: binary}
	}
	huma.Register(a, o, d.export)
}

func (d Deps) export(ctx context.Context, in *exportInput) (*exported, error) {
	who, ok := api.PrincipalFrom(ctx)
	if !ok {
		return nil, errors.New("readapi: a route without a principal")
	}
	if in.Personal && who.Role != api.Owner {
		return nil, huma.Error403Forbidden("only an owner may export personal data")
	}
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	tx, table, err := d.tableToExport(ctx, who, in)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback(ctx)
	if after != nil && after.Version != table.Version {
		return nil, anotherVersion()
	}
	out, rows, err := in.encode(ctx, tx, table, who.Business, after.key())
	if err != nil {
		return nil, in.refusal(err)
	}
	if in.Personal {
		d.Logger.InfoContext(ctx, "personal data exported",
			"business", who.Business, "actor", who.ActorID, "table", table.Name, "rows", rows)
	}
	return out, nil
}

// tableToExport begins a look at the table, once it has come to the position that
// the request waits for.
func (d Deps) tableToExport(ctx context.Context, who api.Principal, in *exportInput) (pgx.Tx, *exporting.Table, error) {
	for waited := in.Position == ""; ; waited = true {
		tx, err := d.Readers.Begin(ctx, who.Business)
		if err != nil {
			return nil, nil, err
		}
		table, err := exporting.Find(ctx, tx, in.Table, in.Personal, projections.Disclosed)
		if err == nil && waited {
			return tx, table, nil
		}
		_ = tx.Rollback(ctx) // nothing was written, and the pool drops a connection that it failed on
		if err == nil {
			err = d.wait(ctx, in.Waiting, []string{table.Projection})
		}
		if err != nil {
			return nil, nil, in.refusal(err)
		}
	}
}

func (in *exportInput) encode(
	ctx context.Context, tx pgx.Tx, table *exporting.Table, business string, after []string,
) (*exported, int, error) {
	format := exporting.Format(in.Format)
	var body bytes.Buffer
	encoder, err := exporting.NewEncoder(format, &body, table.Name, table.Columns, after == nil)
	if err != nil {
		return nil, 0, err
	}
	out := &exported{AsOf: api.AsOfTime(table.Moment.AsOf), ContentType: format.ContentType()}
	rows, size := 0, 0
	var last []string
	for row, err := range table.Read(ctx, tx, business, after, in.Limit+1) {
		if err != nil {
			return nil, 0, err
		}
		if rows == in.Limit || size >= exportBytes {
			out.Next = exportCursor{in.Table, table.Version, last}.String()
			break
		}
		if err := encoder.Write(row.Values); err != nil {
			return nil, 0, err
		}
		rows, size, last = rows+1, size+exporting.Size(row.Values), row.Key
	}
	err = encoder.Close()
	out.Body = body.Bytes()
	return out, rows, err
}

// refusal is the error as the sender of the request can understand it.
func (in *exportInput) refusal(err error) error {
	var refused *pgconn.PgError
	switch {
	case errors.Is(err, exporting.ErrNoTable):
		return notFound("table of a read model")
	case errors.Is(err, exporting.ErrPersonal):
		return huma.NewError(http.StatusForbidden, err.Error())
	case errors.Is(err, exporting.ErrNoOrder):
		return huma.Error422UnprocessableEntity(err.Error())
	case errors.Is(err, exporting.ErrKey):
		return in.notACursor()
	case !errors.As(err, &refused):
		return err
	case refused.Code == undefinedTable:
		return anotherVersion()
	case in.After != "" && strings.HasPrefix(refused.Code, "22"): // not of the key's type
		return in.notACursor()
	}
	return err
}

func anotherVersion() error {
	return api.Unready("not_built", "another version of the read model has gone live; begin again")
}

// exportCursor is a place in a table. Nobody but this package reads it.
type exportCursor struct {
	Table   string   `json:"t"`
	Version int      `json:"v"` // of its projection
	Key     []string `json:"k"`
}

func (c exportCursor) String() string {
	encoded, err := json.Marshal(c)
	if err != nil {
		return "" // texts can be encoded
	}
	return base64.RawURLEncoding.EncodeToString(encoded)
}

// key is nil for the beginning.
func (c *exportCursor) key() []string {
	if c == nil {
		return nil
	}
	return c.Key
}

// after is the request's cursor; nil where it has none.
func (in *exportInput) after() (*exportCursor, error) {
	if in.After == "" {
		return nil, nil //nolint:nilnil // to begin at the beginning is no error
	}
	var at exportCursor
	decoded, err := base64.RawURLEncoding.DecodeString(in.After)
	if err == nil {
		err = json.Unmarshal(decoded, &at)
	}
	if err != nil || at.Table != in.Table || len(at.Key) == 0 || !plain(strings.Join(at.Key, "")) {
		return nil, in.notACursor()
	}
	return &at, nil
}

func (in *exportInput) notACursor() error {
	return huma.Error422UnprocessableEntity("the request is not acceptable", &huma.ErrorDetail{
		Location: "query.after", Message: "must be the Portal-Next of an earlier answer about this table",
	})
}
