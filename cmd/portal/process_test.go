package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// asProgram makes the test binary the program itself, for tests that kill it.
const asProgram = "PORTAL_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	if os.Getenv(asConsumer) != "" {
		if err := runConsumer(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(exitFailed)
		}
		os.Exit(exitOK)
	}
	status := m.Run()
	if err := removeProgram(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(status)
}

// program is a way to run the portal as a process of its own.
type program struct {
	path string
	env  []string
}

// watched is the test binary as the program: where `go test -race` made it, with
// the race detector, whose findings end the test.
func watched() program { return program{os.Args[0], []string{asProgram + "=1"}} }

// plain is the program as people run it, without the race detector, which makes
// it ten times slower: for tests of much data and not of concurrency.
func plain(t *testing.T) program {
	t.Helper()
	path, err := builtProgram()
	if err != nil {
		t.Fatal(err)
	}
	return program{path, nil}
}

var builtProgram = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "portal-program-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "portal")
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if output, err := exec.CommandContext(ctx, "go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, output)
	}
	programFolder = dir
	return path, nil
})

var programFolder string // to remove, once there is one

func removeProgram() error {
	if programFolder == "" {
		return nil
	}
	return os.RemoveAll(programFolder)
}

// environment is this process's, without what configures a portal.
func (p program) environment(set []string) []string {
	env := append(p.env, set...)
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if !strings.HasPrefix(name, "PORTAL_") && name != "DATABASE_URL" {
			env = append(env, v)
		}
	}
	return env
}

// tell runs a subcommand to its end and returns its last line.
func (p program) tell(t *testing.T, env []string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), p.path, args...)
	command.Env = p.environment(env)
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	if err := command.Run(); err != nil {
		t.Fatalf("%v: %v: %s", args, err, errs.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	return lines[len(lines)-1]
}

// tellJSON is tell for an answer in JSON.
func tellJSON[T any](t *testing.T, p program, env []string, args ...string) (answer T) {
	t.Helper()
	line := p.tell(t, env, append(args, "--json")...)
	if err := json.Unmarshal([]byte(line), &answer); err != nil {
		t.Fatalf("%v: %q: %v", args, line, err)
	}
	return answer
}

// process is a portal, or a part of one, on its own.
type process struct {
	t       *testing.T
	command *exec.Cmd
	first   chan string // its first line
	said    *transcript // on standard error
	ended   chan struct{}
}

// start starts a subcommand that lasts. It is killed with the test.
func (p program) start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	c := exec.Command(p.path, args...) //nolint:noctx // our own program; the test's end ends it
	c.Env = p.environment(env)
	started := &process{t: t, command: c, first: make(chan string, 1), said: &transcript{}, ended: make(chan struct{})}
	c.Stderr = started.said
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(started.ended)
		lines := bufio.NewReader(out)
		line, _ := lines.ReadString('\n')
		started.first <- strings.TrimSpace(line)
		_, _ = io.Copy(io.Discard, lines)
		_ = c.Wait() // that it was killed is no news
	}()
	t.Cleanup(func() {
		started.kill()
		if t.Failed() {
			t.Logf("%v said:\n%s", args, started.said.tail(20))
		}
		if strings.Contains(started.said.text(), "DATA RACE") {
			t.Errorf("%v: %s", args, started.said.text())
		}
	})
	return started
}

// startUntil also waits for the line that tells where it is to be reached, and
// returns what follows the words.
func (p program) startUntil(t *testing.T, words string, env []string, args ...string) (*process, string) {
	t.Helper()
	started := p.start(t, env, args...)
	select {
	case line := <-started.first:
		_, address, found := strings.Cut(line, words)
		if !found {
			t.Fatalf("%v said %q and %q", args, line, started.said.text())
		}
		return started, address
	case <-time.After(time.Minute):
		t.Fatalf("%v does not start: %q", args, started.said.text())
		return nil, ""
	}
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.command.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// kill is kill -9, also of a process that has ended.
func (p *process) kill() {
	_ = p.command.Process.Kill()
	<-p.ended
}

// stop asks the process to end in order, and waits until it has.
func (p *process) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(time.Minute):
		p.t.Fatal("the portal does not stop")
	}
	if status := p.command.ProcessState.ExitCode(); status != exitOK {
		p.t.Errorf("exit status %d: %s", status, p.said.tail(5))
	}
}

// transcript is what a process says, kept while it goes on.
type transcript struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (s *transcript) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Write(b)
}

func (s *transcript) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.String()
}

func (s *transcript) tail(n int) string {
	lines := strings.Split(strings.TrimSpace(s.text()), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
