package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrNotInstalled says that this machine has no PostgreSQL server.
var ErrNotInstalled = errors.New("no PostgreSQL server found under /usr/lib/postgresql or in PATH: install one (Debian: apt-get install postgresql)")

// cluster is a data folder of Postgres and the binaries that fit it.
type cluster struct {
	bin      string
	data     string
	password string
}

// openCluster finds the cluster in opts.Dir, or makes it. The folder holds
// data/ (Postgres's own), password (the superuser's) and postgres.log.
func openCluster(ctx context.Context, opts Options, account account, scratch string) (cluster, error) {
	if err := account.mkdir(opts.Dir); err != nil {
		return cluster{}, err
	}
	c := cluster{data: filepath.Join(opts.Dir, "data")}
	passwordFile := filepath.Join(opts.Dir, "password")

	version, err := os.ReadFile(filepath.Join(c.data, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return c.create(ctx, opts, account, scratch, passwordFile)
	}
	if err != nil {
		return cluster{}, err
	}
	password, err := os.ReadFile(passwordFile)
	if err != nil {
		return cluster{}, err
	}
	c.password = string(password)
	c.bin, err = findBinaries(strings.TrimSpace(string(version)))
	return c, err
}

// create makes the cluster beside its place and renames it, so that one broken
// off halfway is never taken for a cluster.
func (c cluster) create(ctx context.Context, opts Options, account account, scratch, passwordFile string) (cluster, error) {
	var err error
	if c.bin, err = findBinaries(""); err != nil {
		return c, err
	}
	c.password = newPassword()
	if err := os.WriteFile(passwordFile, []byte(c.password), 0o600); err != nil {
		return c, err
	}
	forInitdb := filepath.Join(scratch, "password")
	if err := account.writeFile(forInitdb, c.password); err != nil {
		return c, err
	}
	unfinished := c.data + ".new"
	if err := os.RemoveAll(unfinished); err != nil {
		return c, err
	}
	args := []string{
		"--pgdata=" + unfinished, "--username=" + superuser, "--pwfile=" + forInitdb,
		"--auth-local=trust", // only this user reaches the socket's folder
		"--auth-host=scram-sha-256",
		"--encoding=UTF8", "--locale=C.UTF-8", "--lc-messages=C",
	}
	if !opts.Fsync {
		args = append(args, "--no-sync")
	}
	//nolint:gosec // the binary is the installed one
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, "initdb"), args...)
	cmd.Env = environment()
	cmd.Dir = scratch
	cmd.SysProcAttr = account.attributes()
	if out, err := cmd.CombinedOutput(); err != nil {
		return c, fmt.Errorf("initdb: %w: %s", err, lastLine(out))
	}
	return c, errors.Join(os.Remove(forInitdb), os.Rename(unfinished, c.data))
}

// findBinaries returns the folder of postgres and initdb: of the given major
// version where Debian's layout has it, else the newest.
func findBinaries(major string) (string, error) {
	return findBinariesUnder("/usr/lib/postgresql", major)
}

func findBinariesUnder(root, major string) (string, error) {
	entries, err := os.ReadDir(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	versions := []string{major}
	for _, e := range entries {
		versions = append(versions, e.Name())
	}
	slices.SortStableFunc(versions[1:], func(a, b string) int { return number(b) - number(a) })
	for _, v := range versions {
		if bin := filepath.Join(root, v, "bin"); hasServer(bin) {
			return bin, nil
		}
	}
	if server, err := exec.LookPath("postgres"); err == nil {
		if server, err = filepath.EvalSymlinks(server); err == nil && hasServer(filepath.Dir(server)) {
			return filepath.Dir(server), nil
		}
	}
	return "", ErrNotInstalled
}

func hasServer(bin string) bool {
	for _, name := range []string{"postgres", "initdb"} {
		if _, err := exec.LookPath(filepath.Join(bin, name)); err != nil {
			return false
		}
	}
	return true
}

// number reads a major version; a folder that is none sorts last.
func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}

func lastLine(out []byte) string {
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	return string(bytes.TrimSpace(lines[len(lines)-1]))
}
