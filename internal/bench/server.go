package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"portal.example/eventstore"
	"portal.example/eventstore/node"
	"portal.example/internal/bench/memserver"
	"portal.example/internal/tuning"
)

// The kinds of server.
const (
	embeddedNode    = "node"              // as the portal runs it: TLS on, credentials checked
	inMemory        = "memserver"         // keeps messages, which gRPC marshals as it sends them
	inMemoryEncoded = "memserver-encoded" // keeps the bytes to send: the limit of the client
	bareReader      = "bare"              // no log: net/http and pgx, see record.go
)

// server is a running server and a client of it.
type server struct {
	client     *esdb.Client
	connection string
	dial       dialer        // nil: the network
	opening    time.Duration // from the call to listening
	stop       func() error
	process    *exec.Cmd // nil: it runs in this process
}

// portal makes a client such as the portal uses.
func (s *server) portal() (*eventstore.Client, error) {
	return eventstore.Connect(eventstore.Config{ConnectionString: s.connection, Dial: s.dial})
}

// dialer reaches a server in this process.
type dialer = func(context.Context) (net.Conn, error)

// starter is startHere or startApart.
type starter func(ctx context.Context, kind, dir string) (*server, error)

// startHere runs the server in this process, as `portal serve` does with its
// node: server and client share cores, heap and scheduler.
func startHere(ctx context.Context, kind, dir string) (*server, error) {
	started := time.Now()
	connection, dial, stop, err := open(ctx, kind, dir)
	if err != nil {
		return nil, err
	}
	opening := time.Since(started)
	client, err := connect(connection)
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	return &server{client: client, connection: connection, dial: dial, opening: opening, stop: func() error {
		return errors.Join(client.Close(), stop())
	}}, nil
}

// open starts a server of that kind and says how to reach it.
func open(ctx context.Context, kind, dir string) (connection string, dial dialer, stop func() error, err error) {
	switch kind {
	case embeddedNode:
		n, err := node.Start(ctx, node.Config{Dir: dir})
		if err != nil {
			return "", nil, nil, err
		}
		return n.ConnectionString(), n.Dial, n.Close, nil
	case inMemory, inMemoryEncoded:
		s, err := memserver.Start(ctx, memserver.Options{Encoded: kind == inMemoryEncoded})
		if err != nil {
			return "", nil, nil, err
		}
		caFile := filepath.Join(dir, "ca.pem")
		if err := os.WriteFile(caFile, s.CA(), 0o600); err != nil { //nolint:gosec // in a folder of our own
			return "", nil, nil, err
		}
		return "esdb://bench:bench@" + s.Addr() + "?tls=true&tlsCaFile=" + caFile, nil, s.Close, nil
	case bareReader:
		connection, stop, err := serveBare(ctx)
		return connection, nil, stop, err
	default:
		return "", nil, nil, fmt.Errorf("no server of kind %q", kind)
	}
}

func connect(connection string) (*esdb.Client, error) {
	config, err := esdb.ParseConnectionString(connection)
	if err != nil {
		return nil, err
	}
	config.Logger = esdb.NoopLogging()
	return esdb.NewClient(config)
}

// serveCommand makes this program a server and nothing else.
const serveCommand = "serve"

// hello is the line that such a process prints when it listens.
type hello struct {
	Connection string        `json:"connection"`
	Opening    time.Duration `json:"opening"`
}

// serve ends when its standard input does, which is when whoever started it
// has ended.
func serve(ctx context.Context, kind, dir string) error {
	if kind == embeddedNode {
		tuning.Node(ctx) // as `portal node` does
	}
	started := time.Now()
	connection, _, stop, err := open(ctx, kind, dir)
	if err != nil {
		return err
	}
	line, err := json.Marshal(hello{Connection: connection, Opening: time.Since(started)})
	if err != nil {
		return err
	}
	fmt.Println(string(line))
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, stop())
}

// startApart runs the server in a process of its own, whose memory can be told
// apart and which can be killed.
func startApart(ctx context.Context, kind, dir string) (*server, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, serveCommand, kind, dir) //nolint:gosec // this program
	said, end, err := launch(cmd)
	if err != nil {
		return nil, err
	}
	client, err := connect(said.Connection)
	if err != nil {
		return nil, errors.Join(err, end())
	}
	return &server{client: client, connection: said.Connection, opening: said.Opening, process: cmd, stop: func() error {
		return errors.Join(client.Close(), end())
	}}, nil
}

// launch starts a process that says hello, and returns how to end it.
func launch(cmd *exec.Cmd) (said hello, end func() error, err error) {
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return said, nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return said, nil, err
	}
	if err := cmd.Start(); err != nil {
		return said, nil, err
	}
	end = func() error { return errors.Join(stdin.Close(), cmd.Wait()) }
	if said, err = readHello(stdout); err != nil {
		return said, nil, errors.Join(fmt.Errorf("%s does not start: %w", cmd.Path, err), end())
	}
	return said, end, nil
}

func readHello(stdout io.Reader) (hello, error) {
	var said hello
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		return said, err
	}
	return said, json.Unmarshal(line, &said)
}

// kill ends a process of its own as a crash would.
func (s *server) kill() error {
	if err := s.process.Process.Kill(); err != nil {
		return err
	}
	err := s.stop()
	if errors.As(err, new(*exec.ExitError)) {
		return nil // it was killed
	}
	return err
}

// peakMemory is the most that a process of its own has had in memory, in MB.
func (s *server) peakMemory() (float64, error) { return peakMemory(s.process.Process.Pid) }

func peakMemory(pid int) (float64, error) {
	status := filepath.Join("/proc", strconv.Itoa(pid), "status")
	kilobytes, err := strconv.ParseFloat(strings.TrimSuffix(field(status, "VmHWM"), " kB"), 64)
	if err != nil {
		return 0, fmt.Errorf("the kernel does not say how much memory the process has had: %w", err)
	}
	return kilobytes / 1024, nil
}
