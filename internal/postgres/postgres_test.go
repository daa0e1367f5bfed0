package postgres

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

const limit = time.Minute

func TestKeptServerFindsEverythingAgain(t *testing.T) {
	t.Parallel()
	ctx := withLimit(t)
	opts := Options{Dir: filepath.Join(reachableDir(t), "kept"), Fsync: true}

	first := startServer(t, opts)
	query[string](ctx, t, first.URL("postgres"), "CREATE TABLE note AS SELECT 'still here' AS text")
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(first.socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket's folder is still there: %v", err)
	}

	second := startServer(t, opts)
	for name, url := range map[string]string{"socket": second.URL("postgres"), "TCP": second.TCPURL("postgres")} {
		if got := query[string](ctx, t, url, "SELECT text FROM note"); got != "still here" {
			t.Errorf("by %s: note is %q after the second start", name, got)
		}
	}
}

func TestServerStartsAgainAfterACrash(t *testing.T) {
	t.Parallel()
	ctx := withLimit(t)
	opts := Options{Dir: filepath.Join(reachableDir(t), "crashed"), Fsync: true}

	first := startServer(t, opts)
	query[string](ctx, t, first.URL("postgres"), "CREATE TABLE note AS SELECT 'still here' AS text")
	if err := first.process.stop(syscall.SIGKILL, limit); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(opts.Dir, "data", "postmaster.pid")); err != nil {
		t.Fatalf("the killed server should have left its lock file: %v", err)
	}

	second := startServer(t, opts)
	if got := query[string](ctx, t, second.URL("postgres"), "SELECT text FROM note"); got != "still here" {
		t.Errorf("note is %q after the crash", got)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	ctx := withLimit(t)
	for _, fsync := range []string{"on", "off"} {
		t.Run("fsync "+fsync, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, Options{Fsync: fsync == "on", Settings: map[string]string{"max_connections": "37"}})
			for setting, want := range map[string]string{
				"fsync":               fsync,
				"max_connections":     "37",
				"password_encryption": "scram-sha-256",
				"server_encoding":     "UTF8",
				"TimeZone":            "UTC",
			} {
				if got := query[string](ctx, t, s.URL("postgres"), "SHOW "+setting); got != want {
					t.Errorf("%s is %s, want %s", setting, got, want)
				}
			}
		})
	}
}

func TestOnlyThisUserGetsIn(t *testing.T) {
	t.Parallel()
	ctx := withLimit(t)
	s := startServer(t, Options{})
	info, err := os.Stat(s.socket)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the socket's folder has mode %o", info.Mode().Perm())
	}
	wrong, err := url.Parse(s.TCPURL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	wrong.User = url.UserPassword(superuser, "wrong")
	if conn, err := pgx.Connect(ctx, wrong.String()); err == nil {
		t.Error("the loopback port takes a wrong password", conn.Close(ctx))
	}
}

func TestThrowAwayServerLeavesNothing(t *testing.T) {
	t.Parallel()
	s := startServer(t, Options{})
	for range 2 {
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(s.socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("stat of its folder: %v", err)
	}
}

// A process that is killed cannot stop its server; the janitor does. This test
// runs the binary of these tests as such a process.
func TestServerEndsWithItsParent(t *testing.T) {
	t.Parallel()
	const child = "POSTGRES_TEST_CHILD"
	if os.Getenv(child) != "" {
		s := startServer(t, Options{})
		os.Stdout.WriteString("url " + s.URL("postgres") + "\n")
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}

	ctx := withLimit(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self, "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), child+"=1")
	out, err := cmd.Output()
	if err == nil {
		t.Fatal("the child was to be killed")
	}
	_, after, found := strings.Cut(string(out), "url ")
	if !found {
		t.Fatalf("the child said %q", out)
	}
	u, err := url.Parse(strings.TrimSpace(after))
	if err != nil {
		t.Fatal(err)
	}
	gone := time.NewTicker(5 * time.Millisecond)
	defer gone.Stop()
	for {
		if _, err := os.Stat(u.Query().Get("host")); errors.Is(err, fs.ErrNotExist) {
			return
		}
		select {
		case <-gone.C:
		case <-ctx.Done():
			t.Fatal("the killed process's server is still there")
		}
	}
}

func TestSecondServerOnTheSameDirIsRefused(t *testing.T) {
	t.Parallel()
	opts := Options{Dir: filepath.Join(reachableDir(t), "taken")}
	startServer(t, opts)
	s, err := Start(withLimit(t), opts)
	if err == nil {
		t.Fatal("a second server started", s.Stop())
	}
	if want := `postgres: another server has the folder: lock file "postmaster.pid" already exists`; err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
}

// Root hands its server to another user, who may not reach the folder; anybody
// else runs the server themselves, and it reaches what they made.
func TestFolderOutOfReach(t *testing.T) {
	t.Parallel()
	closed := t.TempDir()
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := Start(withLimit(t), Options{Dir: filepath.Join(closed, "server")})
	switch byRoot := os.Geteuid() == 0; {
	case byRoot && err == nil:
		t.Fatal("started", s.Stop())
	case byRoot:
		if !strings.Contains(err.Error(), "who cannot enter "+closed) {
			t.Errorf("error %q does not name %s", err, closed)
		}
	case err != nil:
		t.Error(err)
	default:
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}
}

func TestFindBinaries(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, name := range []string{"9.6/bin/postgres", "9.6/bin/initdb", "15/bin/postgres", "15/bin/initdb", "16/bin/psql", "17/bin/postgres", "17/bin/initdb", "18/bin/postgres"} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]string{}
	for _, major := range []string{"", "15", "14"} {
		bin, err := findBinariesUnder(root, major)
		if err != nil {
			t.Fatal(err)
		}
		got[major], _ = filepath.Rel(root, bin)
	}
	want := map[string]string{"": "17/bin", "15": "15/bin", "14": "17/bin"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("binaries by wanted version (-want +got):\n%s", diff)
	}
}

func TestNoPostgresInstalled(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := findBinariesUnder(filepath.Join(t.TempDir(), "none"), "")
	if !errors.Is(err, ErrNotInstalled) {
		t.Fatalf("error %v", err)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error is more than a line: %q", err)
	}
}

func startServer(t *testing.T, opts Options) *Server {
	t.Helper()
	s, err := Start(withLimit(t), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// reachableDir is a folder that the server's user can enter, which those of
// t.TempDir are not for another user.
func reachableDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "portal-postgres-test-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// query runs a statement and returns its only value, or the zero value where
// it has no rows.
func query[T any](ctx context.Context, t *testing.T, url, sql string) T {
	t.Helper()
	var value T
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, sql).Scan(&value)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		t.Fatalf("%s: %v", sql, err)
	}
	return value
}

func withLimit(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}
