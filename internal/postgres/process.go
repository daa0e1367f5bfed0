package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// process is the server's main process, the postmaster.
type process struct {
	handle *os.Process
	exited chan struct{} // closed when the process has gone
}

// run starts the process with its output in logFile.
func (p *process) run(cmd *exec.Cmd, logFile string) error {
	out, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return err
	}
	p.handle, p.exited = cmd.Process, make(chan struct{})
	go func() {
		defer close(p.exited)
		_ = cmd.Wait() // what went wrong stands in the log
	}()
	return nil
}

func (p *process) pid() int { return p.handle.Pid }

// stop asks for a shutdown and waits for it, and insists after the limit.
func (p *process) stop(signal syscall.Signal, limit time.Duration) error {
	if p.handle == nil {
		return nil
	}
	for _, signal := range []syscall.Signal{signal, syscall.SIGQUIT, syscall.SIGKILL} {
		if err := p.handle.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop: %w", err)
		}
		select {
		case <-p.exited:
			return nil
		case <-time.After(limit):
		}
	}
	return fmt.Errorf("stop: process %d does not end", p.handle.Pid)
}

func (s *Server) waitUntilReady(ctx context.Context) error {
	retry := time.NewTicker(10 * time.Millisecond)
	defer retry.Stop()
	for {
		conn, err := pgconn.Connect(ctx, s.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-s.process.exited:
			return startError(s.logFile)
		case <-ctx.Done():
			return fmt.Errorf("did not start: %w", errors.Join(ctx.Err(), err))
		case <-retry.C:
		}
	}
}

var errInUse = errors.New("another server has the folder")

// startError is what Postgres says about its own failure.
func startError(logFile string) error {
	log, err := os.ReadFile(logFile)
	if err != nil {
		return err
	}
	_, message, found := strings.Cut(string(log), "FATAL:")
	if !found {
		return fmt.Errorf("did not start: its log ends with %q", lastLine(log))
	}
	message, _, _ = strings.Cut(strings.TrimSpace(message), "\n")
	if strings.Contains(message, `"postmaster.pid" already exists`) || strings.Contains(message, "pre-existing shared memory block") {
		return fmt.Errorf("%w: %s", errInUse, message)
	}
	return fmt.Errorf("did not start: %s", message)
}

// janitor is a little process that outlives this one, however it ends. It then
// stops the server and removes the scratch folder. A test binary could not do
// that itself: nothing of it runs after its last test.
type janitor struct {
	cmd    *exec.Cmd
	orders io.WriteCloser
}

// The last line the janitor reads is the server's process id, or 0 where there
// is none to stop; the end of its input is the end of this process.
const janitorScript = `
while read -r line; do server=$line; done
tries=600
if [ "${server:-0}" != 0 ] && kill -s "$1" "$server"; then
	while [ $tries != 0 ] && kill -0 "$server"; do sleep 0.05; tries=$((tries - 1)); done
fi
rm -rf -- "$2"
`

func hireJanitor(ctx context.Context, scratch string, stop syscall.Signal) (*janitor, error) {
	// The janitor must not end with ctx, which bounds the starting only.
	//nolint:gosec // the script is a constant, what varies are arguments
	cmd := exec.CommandContext(context.WithoutCancel(ctx), "/bin/sh", "-c", janitorScript,
		"janitor", strconv.Itoa(int(stop)), scratch)
	cmd.SysProcAttr = account{}.attributes()
	orders, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &janitor{cmd: cmd, orders: orders}, nil
}

// mind tells the janitor which process to stop when this one ends.
func (j *janitor) mind(server int) error {
	_, err := io.WriteString(j.orders, strconv.Itoa(server)+"\n")
	return err
}

// dismiss waits until the janitor has cleaned up.
func (j *janitor) dismiss() error {
	return errors.Join(j.orders.Close(), j.cmd.Wait())
}
