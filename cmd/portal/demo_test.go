package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"portal.example/internal/demo"
)

// The demo as `make run` starts it, but for its size: interrupted while it
// invents its history, made to its end by the next start, and found again by the
// one after that.
func TestDemo(t *testing.T) {
	t.Parallel()
	data := demoFolder(t)

	interrupted := startDemo(t, data)
	interrupted.until("Inventing the history of 60 quotes.")
	interrupted.interrupt("The next start goes on from here.")

	first := startDemo(t, data)
	shown := first.until("Ctrl-C stops it.")
	if !strings.Contains(shown, "Inventing") {
		t.Errorf("it did not go on:\n%s", shown)
	}
	tried := tryDemo(t, shown)
	first.interrupt("Stopping Postgres.")
	events := demoEvents(t, data)
	if least := demo.Small.Customers + demo.Small.Invoices + demo.Small.Requests + demo.Small.Quotes; events < least {
		t.Errorf("the log has %d events, of %d records", events, least)
	}

	second := startDemo(t, data)
	shown = second.until("Ctrl-C stops it.")
	if !strings.Contains(shown, "is there from an earlier start") || strings.Contains(shown, "Inventing") {
		t.Errorf("the last start said:\n%s", shown)
	}
	if again := tryDemo(t, shown); again != tried {
		t.Errorf("the tokens were %v and are %v", tried, again)
	}
	second.interrupt("Stopping Postgres.")
	if again := demoEvents(t, data); again != events {
		t.Errorf("the log had %d events and has %d", events, again)
	}
}

// demoFolder is a data folder that Postgres's user can get to.
func demoFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "portal-demo-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "data")
}

// demoProcess is the demo as a process of its own.
type demoProcess struct {
	t       *testing.T
	data    string
	command *exec.Cmd
	lines   chan string // of its standard output
	errs    *bytes.Buffer
}

func demoCommandLine(ctx context.Context, data string, args ...string) *exec.Cmd {
	p := watched()
	c := exec.CommandContext(ctx, p.path, args...)
	c.Env = p.environment([]string{"PORTAL_DATA=" + data, "PORTAL_LISTEN=127.0.0.1:0"})
	return c
}

func startDemo(t *testing.T, data string) *demoProcess {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*time.Minute)
	p := &demoProcess{
		t: t, data: data, command: demoCommandLine(ctx, data, "demo", "--"+smallFlag),
		lines: make(chan string, 1000), errs: &bytes.Buffer{},
	}
	p.command.Stderr = p.errs
	out, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			p.lines <- scanner.Text()
		}
	}()
	t.Cleanup(func() {
		cancel() // which kills it where the test has not ended it
		_ = p.command.Wait()
	})
	return p
}

// until is what the demo says up to a line.
func (p *demoProcess) until(last string) string {
	p.t.Helper()
	var said strings.Builder
	for line := range p.lines {
		said.WriteString(line + "\n")
		if line == last {
			return said.String()
		}
	}
	p.t.Fatalf("it ended without saying %q:\n%s%s", last, &said, p.errs)
	return ""
}

// interrupt is Ctrl-C. All that the demo started is to end with it.
func (p *demoProcess) interrupt(says string) {
	p.t.Helper()
	if found := processesOf(p.t, p.data); len(found) < 2 {
		p.t.Errorf("there is no Postgres to be stopped: %q", found)
	}
	if err := p.command.Process.Signal(syscall.SIGINT); err != nil {
		p.t.Fatal(err)
	}
	var said strings.Builder
	for line := range p.lines {
		said.WriteString(line + "\n")
	}
	if err := p.command.Wait(); err != nil || !strings.Contains(said.String(), says) {
		p.t.Errorf("interrupted, it ended with %v and said:\n%s%s", err, &said, p.errs)
	}
	if left := processesOf(p.t, p.data); len(left) > 0 {
		p.t.Errorf("it has left %q", left)
	}
	if _, err := os.Stat(filepath.Join(p.data, "postgres", "data", "postmaster.pid")); !errors.Is(err, fs.ErrNotExist) {
		p.t.Errorf("Postgres was not shut down: %v", err)
	}
}

// processesOf are the processes that name the folder in their command line or
// environment, or work in it.
func processesOf(t *testing.T, dir string) (found []string) {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range processes {
		// What cannot be read has just ended, or is somebody else's.
		command, _ := os.ReadFile(filepath.Join(p, "cmdline"))
		environment, _ := os.ReadFile(filepath.Join(p, "environ"))
		folder, _ := os.Readlink(filepath.Join(p, "cwd"))
		if bytes.Contains(command, []byte(dir)) || bytes.Contains(environment, []byte(dir)) || strings.HasPrefix(folder, dir) {
			found = append(found, strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	return found
}

var (
	curlLine   = regexp.MustCompile(`(?m)^  curl -H "Authorization: Bearer (\S+)" "?([^"\s]+)"?$`)
	demoTokens = regexp.MustCompile(`(?m)^(Staff|Customer) token: +(\S+)$`)
)

// tryDemo does what the demo proposes, and returns its tokens.
func tryDemo(t *testing.T, shown string) (tokens [2]string) {
	t.Helper()
	named := demoTokens.FindAllStringSubmatch(shown, -1)
	tries := curlLine.FindAllStringSubmatch(shown, -1)
	if len(named) != 2 || len(tries) != 3 {
		t.Fatalf("it shows %d tokens and %d requests:\n%s", len(named), len(tries), shown)
	}
	tokens = [2]string{named[0][2], named[1][2]}
	address := regexp.MustCompile(`The portal is at (http://\S+),`).FindStringSubmatch(shown)
	if address == nil {
		t.Fatalf("it does not say where it is:\n%s", shown)
	}
	var answers []map[string]any
	for i, try := range tries {
		if want := tokens[i/2]; try[1] != want || !strings.HasPrefix(try[2], address[1]) {
			t.Errorf("request %d is %q", i, try[0])
		}
		answers = append(answers, getJSON(t, try[1], try[2]))
	}
	if got := answers[0]["invoices"]; got != float64(demo.Small.Invoices) {
		t.Errorf("the dashboard counts %v invoices", got)
	}
	if got := answers[1]["items"].([]any); len(got) != 3 {
		t.Errorf("of the invoices it lists %v", got)
	}
	if got := answers[2]["items"].([]any); len(got) == 0 {
		t.Error("the customer has no history")
	}
	quotes := getJSON(t, tokens[0], address[1]+"/api/v1/dashboards/quotes")
	for _, stage := range []string{"sent", "viewed", "approved", "declined", "expired"} {
		if n := quotes[stage].(float64); n == 0 || n >= quotes["drafted"].(float64) {
			t.Errorf("of the quotes %v are %s", n, stage)
		}
	}
	if quotes["drafted"] != float64(demo.Small.Quotes) {
		t.Errorf("the funnel begins with %v", quotes["drafted"])
	}
	return tokens
}

func getJSON(t *testing.T, token, url string) (body map[string]any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v: %v", url, response.Status, err, body)
	}
	return body
}

// demoEvents is how many events the log of a demo that has ended holds.
func demoEvents(t *testing.T, data string) int {
	t.Helper()
	out, err := demoCommandLine(t.Context(), data, "events", "stats", "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var s logStats
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatalf("%q: %v", out, err)
	}
	return int(s.Events)
}
