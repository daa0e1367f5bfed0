package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"portal.example/internal/postgres"
)

// ownPostgres starts a Postgres in the data folder and names it in the
// environment, and in a file for the subcommands in other terminals.
func ownPostgres(ctx context.Context, data string, out io.Writer) (stop func() error, err error) {
	dir, err := postgresFolder(data, serverData)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "Starting a Postgres of its own in %s.\n", dir)
	if filepath.Dir(dir) == serverData {
		fmt.Fprintf(out, "(It does not run as root, and its user cannot enter %s.)\n", data)
	}
	server, err := postgres.Start(ctx, postgres.Options{
		Dir: dir, Fsync: true, Settings: map[string]string{"backend_flush_after": postgres.FlushAfter},
	})
	if err != nil {
		return nil, fmt.Errorf("starting Postgres: %w; set DATABASE_URL to use another one", err)
	}
	url := server.TCPURL("postgres")
	path := filepath.Join(data, "demo.env")
	if err := errors.Join(
		os.WriteFile(path, []byte("export DATABASE_URL='"+url+"'\n"), 0o600),
		os.Setenv("DATABASE_URL", url),
	); err != nil {
		return nil, errors.Join(err, server.Stop())
	}
	return server.Stop, nil
}

// serverData is where servers keep their data, and every user may pass through.
const serverData = "/var/lib"

// postgresFolder is in the data folder. Root's Postgres runs as another user,
// though, who may not be able to get there. It is elsewhere then, and the data
// folder has a link to it, by which `make clean-data` finds it.
func postgresFolder(data, elsewhere string) (string, error) {
	data, err := filepath.Abs(data)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(data, "postgres")
	if linked, err := os.Readlink(dir); err == nil {
		return linked, nil
	}
	if os.Geteuid() != 0 {
		return dir, nil
	}
	reachable, err := othersReach(data)
	if err != nil {
		return "", err
	}
	if reachable {
		// Others may pass through the folder, and see nothing of it.
		return dir, os.Chmod(data, 0o711) //nolint:gosec // see above
	}
	made, err := os.MkdirTemp(elsewhere, "portal-demo-")
	if err != nil {
		return "", err
	}
	if err := os.Symlink(made, dir); err != nil {
		return "", errors.Join(err, os.Remove(made))
	}
	return made, nil
}

// othersReach says whether any user can get to the folder, if not into it.
func othersReach(dir string) (bool, error) {
	for parent := filepath.Dir(dir); ; parent = filepath.Dir(parent) {
		info, err := os.Stat(parent)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false, err
		}
		if parent == filepath.Dir(parent) {
			return true, nil
		}
	}
}
