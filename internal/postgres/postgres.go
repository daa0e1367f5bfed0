// Package postgres starts a private PostgreSQL server from the binaries that
// are installed on the machine: for tests, for benchmarks and for a first look
// at the portal. A business runs its own Postgres and names it in DATABASE_URL;
// nothing here is meant for that.
//
// The server is reachable only by this user: through a Unix socket in a folder
// of mode 0700, and through a loopback port with a password. It ends with the
// process that started it, however that one ends.
package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// FlushAfter is backend_flush_after for a server whose disk is also the log's: what
// Postgres writes goes to disk as it comes, and not hundreds of megabytes at once,
// for which every sync of the log would have to wait.
const FlushAfter = "512kB"

const (
	superuser = "postgres"

	// stopLimit is how long a fast shutdown (which writes a checkpoint) may
	// take before Postgres is told to drop everything and recover next time.
	stopLimit = 30 * time.Second

	// takeOverLimit is how long to wait for the folder's last server to end.
	takeOverLimit = 5 * time.Second
)

// Options say what to start. The zero value is a throw-away server for tests.
type Options struct {
	// Dir keeps the databases and the password for the next start; it is made
	// where it is missing. Empty means a temporary folder that is removed with
	// the server.
	Dir string

	// Fsync makes commits survive a power cut, as a production server's do.
	// Leave it off only where the data is worth nothing.
	Fsync bool

	// Port is the TCP port on 127.0.0.1; 0 takes a free one.
	Port int

	// Settings are further parameters of postgresql.conf, such as
	// "max_connections": "300".
	Settings map[string]string
}

// Server is a running Postgres.
type Server struct {
	port     int
	socket   string // folder of the Unix socket
	password string
	logFile  string

	throwAway bool // the data goes with the server

	process  process
	janitor  *janitor
	stopOnce sync.Once
	stopErr  error
}

// Start returns once the server accepts connections; ctx bounds the starting
// only. A Dir used before is found again with everything in it, after a crash
// too.
func Start(ctx context.Context, opts Options) (*Server, error) {
	s, err := start(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	return s, nil
}

func start(ctx context.Context, opts Options) (*Server, error) {
	account, err := accountForServer()
	if err != nil {
		return nil, err
	}
	scratch, err := account.mkdirTemp("portal-postgres-")
	if err != nil {
		return nil, err
	}
	s := &Server{socket: scratch, port: opts.Port, throwAway: opts.Dir == ""}
	if s.throwAway {
		opts.Dir = filepath.Join(scratch, "server")
	}
	if s.janitor, err = hireJanitor(ctx, scratch, s.stopSignal()); err != nil {
		return nil, errors.Join(err, os.RemoveAll(scratch))
	}
	if err := s.launch(ctx, opts, account); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Server) launch(ctx context.Context, opts Options, account account) error {
	c, err := openCluster(ctx, opts, account, s.socket)
	if err != nil {
		return err
	}
	s.password = c.password
	s.logFile = filepath.Join(opts.Dir, "postgres.log")
	if s.port == 0 {
		if s.port, err = freePort(ctx); err != nil {
			return err
		}
	}
	return s.startOrTakeOver(ctx, func() *exec.Cmd { return s.command(c, opts, account) })
}

// startOrTakeOver starts the server; where the last one on this folder is still
// on its way out (its owner was killed a moment ago), it waits a little for it.
func (s *Server) startOrTakeOver(ctx context.Context, command func() *exec.Cmd) error {
	retry := time.NewTicker(100 * time.Millisecond)
	defer retry.Stop()
	patience := time.After(takeOverLimit)
	for {
		if err := s.process.run(command(), s.logFile); err != nil {
			return err
		}
		if err := s.janitor.mind(s.process.pid()); err != nil {
			return err
		}
		err := s.waitUntilReady(ctx)
		if !errors.Is(err, errInUse) {
			return err
		}
		select {
		case <-retry.C:
		case <-patience:
			return err
		case <-ctx.Done():
			return err
		}
	}
}

func (s *Server) command(c cluster, opts Options, account account) *exec.Cmd {
	settings := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"port":                    strconv.Itoa(s.port),
		"unix_socket_directories": s.socket,
		"unix_socket_permissions": "0700",
		"logging_collector":       "off",
		"timezone":                "UTC",
		"log_timezone":            "UTC",
		"fsync":                   onOff(opts.Fsync),
		"full_page_writes":        onOff(opts.Fsync),
		// Whoever makes an index works too; more of them than processors only wait.
		"max_parallel_maintenance_workers": strconv.Itoa(min(runtime.NumCPU()-1, 2)),
	}
	for name, value := range opts.Settings {
		settings[name] = value
	}
	args := []string{"-D", c.data}
	for name, value := range settings {
		args = append(args, "-c", name+"="+value)
	}
	//nolint:gosec,noctx // the binary is the installed one; the server outlives the context of Start, Stop ends it
	cmd := exec.Command(filepath.Join(c.bin, "postgres"), args...)
	cmd.Env = environment()
	cmd.SysProcAttr = account.attributes()
	return cmd
}

// stopSignal is what ends the server: a fast shutdown where the data is kept,
// an immediate one where nobody will look at it again.
func (s *Server) stopSignal() syscall.Signal {
	if s.throwAway {
		return syscall.SIGQUIT
	}
	return syscall.SIGINT
}

// URL is the connection string of a database through the Unix socket, the
// fastest way in.
func (s *Server) URL(database string) string {
	query := url.Values{
		"host":    {s.socket},
		"port":    {strconv.Itoa(s.port)},
		"sslmode": {"disable"},
	}
	return "postgres://" + superuser + "@/" + url.PathEscape(database) + "?" + query.Encode()
}

// TCPURL is the connection string of a database through the loopback port. It
// holds the password: do not log it.
func (s *Server) TCPURL(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, s.password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Stop ends the server, and removes the data of a throw-away one. Calling it
// again returns the first call's answer.
func (s *Server) Stop() error {
	s.stopOnce.Do(func() {
		s.stopErr = s.process.stop(s.stopSignal(), stopLimit)
		if s.stopErr == nil {
			s.stopErr = s.janitor.mind(0)
		}
		s.stopErr = errors.Join(s.stopErr, s.janitor.dismiss())
	})
	return s.stopErr
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// freePort asks the kernel for a port. Another process may take it before
// Postgres does; the start then fails with Postgres's own words.
func freePort(ctx context.Context) (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("no free port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}

// environment is what Postgres's programs get to see: none of this process's
// secrets, and none of the PG… variables that would change what they do.
func environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TZ=UTC"}
}

func newPassword() string {
	return strings.ToLower(rand.Text())
}
