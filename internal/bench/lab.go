package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"portal.example/internal/postgres"
)

// Lab is what the sides share: how long they run, a folder on a disk, one
// Postgres, one set of payloads. What costs time is made when first asked for.
type Lab struct {
	Options

	dir      string // removed in the end
	payloads []payload
	report   func(format string, args ...any) // a line of progress
	database func() (*postgres.Server, error)
	npm      func() error
	program  func() (string, error) // the portal
	history  func() (*history, error)

	cleanups []func() error // the last first
}

// Options say how long and how big.
type Options struct {
	Runs    int           `json:"runs"`
	Warmup  time.Duration `json:"warmupNanoseconds"` // not counted, at the start of each measurement of appends
	Window  time.Duration `json:"windowNanoseconds"` // counted
	Read    int           `json:"read"`              // events in the log that is read
	Rebuild int           `json:"rebuild"`           // events in the log that read models are rebuilt from
	Small   int           `json:"small"`             // events in the log that growth is held against
	Events  int           `json:"events"`            // events in the grown log
	Replay  int           `json:"replay"`            // events in the log of the portal that replays
}

func newLab(ctx context.Context, options Options, report func(format string, args ...any)) (*Lab, error) {
	if inMemory, err := onMemoryFileSystem(os.TempDir()); err != nil {
		return nil, err
	} else if inMemory {
		return nil, fmt.Errorf("%s is in memory, where fsync costs nothing: set TMPDIR to a folder on a disk", os.TempDir())
	}
	dir, err := os.MkdirTemp("", "portal-bench-")
	if err != nil {
		return nil, err
	}
	lab := &Lab{Options: options, dir: dir, payloads: makePayloads(256), report: report}
	lab.cleanups = append(lab.cleanups, func() error { return os.RemoveAll(dir) })
	lab.database = sync.OnceValues(func() (*postgres.Server, error) { return lab.startPostgres(ctx) })
	lab.npm = sync.OnceValue(func() error { return installNodeModules(ctx) })
	lab.program = sync.OnceValues(func() (string, error) { return lab.buildPortal(ctx) })
	lab.history = sync.OnceValues(func() (*history, error) { return lab.makeHistory(ctx) })
	return lab, nil
}

// Close undoes what was started.
func (l *Lab) Close() error {
	var errs []error
	for _, cleanup := range slices.Backward(l.cleanups) {
		errs = append(errs, cleanup())
	}
	return errors.Join(errs...)
}

// load is the usual load with that many writers.
func (l *Lab) load(writers int) Load {
	return Load{Writers: writers, Warmup: l.Warmup, Window: l.Window}
}

// tempDir makes an empty folder on the measured disk.
func (l *Lab) tempDir(name string) (string, error) { return os.MkdirTemp(l.dir, name+"-") }

// payloadFile is the payloads as JSON, for sides that are no part of this
// program.
func (l *Lab) payloadFile() (string, error) {
	content, err := json.Marshal(l.payloads)
	if err != nil {
		return "", err
	}
	path := filepath.Join(l.dir, "payloads.json")
	return path, os.WriteFile(path, content, 0o600)
}

const startLimit = 2 * time.Minute

func (l *Lab) startPostgres(ctx context.Context) (*postgres.Server, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	server, err := postgres.Start(ctx, postgres.Options{Fsync: true})
	if errors.Is(err, postgres.ErrNotInstalled) {
		return nil, unavailablef("no PostgreSQL server is installed")
	}
	if err != nil {
		return nil, err
	}
	l.cleanups = append(l.cleanups, server.Stop)
	return server, nil
}

// withServer runs use on a fresh server of that kind, which is gone afterwards.
func (l *Lab) withServer(ctx context.Context, start starter, kind string, use func(*server) (Sample, error)) (sample Sample, err error) {
	dir, err := l.tempDir(kind)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	server, err := start(ctx, kind, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	return use(server)
}

// withDatabase runs use on an empty database that is gone afterwards. It begins
// with a checkpoint, so that none falls due on account of the side before.
func (l *Lab) withDatabase(ctx context.Context, use func(url string) (Sample, error)) (sample Sample, err error) {
	server, err := l.database()
	if err != nil {
		return nil, err
	}
	const name = "bench"
	admin := server.URL("postgres")
	if err := execute(ctx, admin, "CREATE DATABASE "+name); err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, execute(context.WithoutCancel(ctx), admin, "DROP DATABASE "+name+" WITH (FORCE)"))
	}()
	if err := execute(ctx, admin, "CHECKPOINT"); err != nil {
		return nil, err
	}
	return use(server.URL(name))
}

// execute runs statements that return nothing, several at once where they are
// separated by semicolons.
func execute(ctx context.Context, url, statements string) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	_, err = conn.PgConn().Exec(ctx, statements).ReadAll()
	return errors.Join(err, conn.Close(ctx))
}
