// Package nodejs_test runs EventStoreDB's official Node.js client against
// `portal node --insecure`: a client that shares no code with the Go one, on
// the binary as it is shipped.
package nodejs_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"
)

func TestOfficialNodeJSClient(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	installPackages(ctx, t)
	connection := servePortalNode(ctx, t)

	client := exec.CommandContext(ctx, "node", "--test-reporter=tap", "client.mjs")
	client.Env = append(os.Environ(), "PORTAL_EVENTSTORE="+connection)
	output, err := client.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	passed := regexp.MustCompile(`(?m)^# pass (\d+)$`).FindSubmatch(output)
	if passed == nil || string(passed[1]) == "0" {
		t.Fatalf("no test ran:\n%s", output)
	}
	t.Logf("%s tests of the Node.js client passed", passed[1])
}

// installPackages brings in what package-lock.json names, where it is not there
// yet.
func installPackages(ctx context.Context, t *testing.T) {
	t.Helper()
	installed, err := os.Stat(filepath.Join("node_modules", ".package-lock.json"))
	if err == nil {
		lock, err := os.Stat("package-lock.json")
		if err != nil {
			t.Fatal(err)
		}
		if !installed.ModTime().Before(lock.ModTime()) {
			return
		}
	}
	output, err := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund").CombinedOutput()
	if err != nil {
		t.Fatalf("npm ci: %v\n%s", err, output)
	}
}

// stopping is how long the node may take to stop when asked.
const stopping = 30 * time.Second

// servePortalNode builds the binary, runs its node and returns the node's
// connection string.
func servePortalNode(ctx context.Context, t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "portal")
	if output, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "portal.example/cmd/portal").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, output)
	}
	// The node is stopped by the clean-up, which runs when the context has ended.
	node := exec.CommandContext(context.WithoutCancel(ctx), binary, "node", "--insecure", "--listen", "127.0.0.1:0", "--data", t.TempDir())
	node.Stderr = t.Output()
	stdout, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		late := time.AfterFunc(stopping, func() { _ = node.Process.Kill() })
		defer late.Stop()
		if err := errors.Join(node.Process.Signal(syscall.SIGTERM), node.Wait()); err != nil {
			t.Errorf("portal node did not stop cleanly: %v", err)
		}
	})
	connection, err := announced(bufio.NewScanner(stdout))
	if err != nil {
		t.Fatal(err)
	}
	return connection
}

var insecureConnection = regexp.MustCompile(`esdb://\S+\?tls=false`)

// announced waits for the line that says where the node listens.
func announced(lines *bufio.Scanner) (string, error) {
	for lines.Scan() {
		if found := insecureConnection.FindString(lines.Text()); found != "" {
			return found, nil
		}
	}
	return "", fmt.Errorf("portal node ended without saying where it listens: %w", lines.Err())
}
