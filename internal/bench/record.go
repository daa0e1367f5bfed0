package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"portal.example/projections/requests"
	"portal.example/readapi"
)

// bareRequest is the query that the portal asks for one request, and its answer,
// without anything around them.
const bareRequest = `
	SELECT request_id, customer_id, contact_id, property_id, unit_id, kind, channel, reference, subject,
	       status, handler, team, version, deadline, filed_at, waiting_since, decided_at, details
	FROM read.requests WHERE request_id = $1 ORDER BY request_id LIMIT 2`

type bareRow struct {
	readapi.Request
	Details *requests.Details
}

// serveBare is a server of nothing but that, until its standard input ends. It
// takes the database from DATABASE_URL, as the portal does.
func serveBare(ctx context.Context) (connection string, stop func() error, err error) {
	cfg, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		return "", nil, err
	}
	cfg.MaxConns = max(8, int32(4*runtime.NumCPU())) // as many as the portal has
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return "", nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/requests/{id}", func(w http.ResponseWriter, r *http.Request) {
		rows, _ := pool.Query(r.Context(), bareRequest, r.PathValue("id")) // CollectOneRow returns it
		row, err := pgx.CollectOneRow(rows, pgx.RowToAddrOfStructByName[bareRow])
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(readapi.RequestRecord{Request: row.Request, Details: *row.Details}) // whoever went away does not read it
	})
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		pool.Close()
		return "", nil, err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	return listener.Addr().String(), func() error {
		err := server.Close()
		if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		pool.Close()
		return err
	}, nil
}

// startBare runs that server in a process of its own, as the portal is.
func startBare(ctx context.Context, database string) (address string, stop func() error, err error) {
	program, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(ctx, program, serveCommand, bareReader, "") //nolint:gosec // this program
	cmd.Env = append(os.Environ(), "DATABASE_URL="+database)
	said, end, err := launch(cmd)
	return said.Connection, end, err
}

// reads is the side that is asked for one record at a time, at a steady rate. The
// records are those of a portal, which idles while the bare server answers.
func reads(lab *Lab, name string, bare bool) *Side {
	return &Side{Name: name, Measure: func(ctx context.Context) (Sample, error) {
		return lab.withOffices(ctx, paceWriters, func(p *portal, offices []*office) (sample Sample, err error) {
			for _, o := range offices {
				id, position, err := o.triage()
				if err != nil {
					return nil, err
				}
				if err := o.look(id, position); err != nil {
					return nil, err
				}
			}
			if !bare {
				return lab.read(ctx, offices)
			}
			address, stop, err := startBare(ctx, p.database)
			if err != nil {
				return nil, err
			}
			defer func() { err = errors.Join(err, stop()) }()
			for _, o := range offices {
				if err := o.move(ctx, address); err != nil {
					return nil, err
				}
			}
			return lab.read(ctx, offices)
		})
	}}
}

// move goes on at a server that asks for no token.
func (o *office) move(ctx context.Context, address string) error {
	elsewhere, err := dial(ctx, address, "")
	if err != nil {
		return err
	}
	err = o.conn.Close()
	o.connection = elsewhere
	return err
}

func (l *Lab) read(ctx context.Context, offices []*office) (Sample, error) {
	operations := make([]operation, len(offices))
	for i, o := range offices {
		operations[i] = func(_ context.Context, due time.Time) (time.Duration, bool, error) {
			id := o.requests[o.taken%len(o.requests)]
			o.taken++
			_, err := o.do(http.StatusOK, http.MethodGet, "/api/v1/requests/"+id, "")
			return time.Since(due), true, err
		}
	}
	sample, err := l.pace().run(ctx, operations)
	delete(sample, Rate) // it was given
	return sample, err
}

func recordRows(lab *Lab) []Row {
	const name, group = "read API, one record", "one record"
	subject, bare := reads(lab, "portal serve", false), reads(lab, "bare net/http and pgx", true)
	return []Row{
		{Name: name + ", p99", Group: group, Figure: P99, Subject: subject, Baseline: bare, Budget: atMost(1.5), Aim: atMost(1.1)},
		{Name: name + ", p50", Group: group, Figure: P50, Subject: subject, Baseline: bare},
	}
}
