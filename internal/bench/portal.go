package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// portal is `portal serve`, the real program in a process of its own, with its
// log, a database and one business.
type portal struct {
	address  string
	token    string // of the office
	database string // URL
	pid      int
}

// buildPortal compiles the portal as it is in this checkout.
func (l *Lab) buildPortal(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	program := filepath.Join(l.dir, "portal")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", program, "portal.example/cmd/portal") //nolint:gosec // our own program
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the portal: %w: %s", err, bytes.TrimSpace(out))
	}
	return program, nil
}

// withPortal runs use on a fresh portal, which is gone afterwards.
func (l *Lab) withPortal(ctx context.Context, use func(*portal) (Sample, error)) (Sample, error) {
	program, err := l.program()
	if err != nil {
		return nil, err
	}
	return l.withDatabase(ctx, func(url string) (sample Sample, err error) {
		dir, err := l.tempDir("portal")
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		environment := append(os.Environ(),
			"DATABASE_URL="+url, "PORTAL_DATA="+filepath.Join(dir, "data"), "PORTAL_LISTEN=127.0.0.1:0")
		p, stop, err := servePortal(ctx, program, environment, filepath.Join(dir, "portal.log"))
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, stop()) }()
		if _, err := runPortal(ctx, program, environment, "business", "create",
			"--slug", "bench", "--name", "Bench", "--currency", "EUR", "--timezone", "Europe/Rome"); err != nil {
			return nil, err
		}
		p.database = url
		if p.token, err = runPortal(ctx, program, environment, "keys", "create", "--business", "bench", "--role", "office"); err != nil {
			return nil, err
		}
		return use(p)
	})
}

// servePortal returns once the portal listens. Its log goes to a file, as a
// service's does.
func servePortal(ctx context.Context, program string, environment []string, logFile string) (p *portal, stop func() error, err error) {
	log, err := os.Create(logFile)
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.CommandContext(ctx, program, "serve")
	cmd.Env, cmd.Stderr = environment, log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = startLimit
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, errors.Join(err, log.Close())
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, errors.Join(err, log.Close())
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	_, address, found := strings.Cut(strings.TrimSpace(line), "http://")
	if err != nil || !found {
		failed := errors.Join(cmd.Process.Kill(), cmd.Wait(), log.Close())
		said, _ := os.ReadFile(logFile) // it only explains the failure
		return nil, nil, fmt.Errorf("the portal does not start: %w: %s", failed, said)
	}
	return &portal{address: address, pid: cmd.Process.Pid}, func() error {
		return errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait(), log.Close())
	}, nil
}

const commandLimit = 30 * time.Second

// runPortal runs a subcommand beside the portal and returns what it prints.
func runPortal(ctx context.Context, program string, environment []string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // built by us
	cmd.Env = environment
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("portal %s: %w: %s", args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return string(bytes.TrimSpace(out)), nil
}
