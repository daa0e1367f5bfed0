package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// bareTable is one row an event with a unique (stream, revision), and nothing
// else that a log needs: streams that nobody can follow as a whole.
const bareTable = `CREATE TABLE events (
	stream text NOT NULL, revision bigint NOT NULL, id uuid NOT NULL,
	type text NOT NULL, data text NOT NULL, metadata text NOT NULL,
	UNIQUE (stream, revision))`

// eventTable adds a position, which gives an order over all streams to read
// them in, and has Postgres look at the JSON.
const eventTable = `CREATE TABLE events (
	position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	stream text NOT NULL, revision bigint NOT NULL, id uuid NOT NULL,
	type text NOT NULL, data jsonb NOT NULL, metadata jsonb NOT NULL,
	UNIQUE (stream, revision))`

// pgbench keeps its variables from one transaction to the next, so each client
// can count: eventsPerStream rows to a stream, then a new stream.
const pgbenchCounter = `\set revision :n %% %[1]d
\set stream :n / %[1]d
\set n :n + 1
`

const pgbenchStream = category + "-0f3a9c1e-5b7d-4e2a-9c41-:client_id.:stream"

// insert is the side that appends by inserting one row into a table.
func insert(lab *Lab, name, table string, writers int) *Side {
	body := lab.payloads[0]
	script := fmt.Sprintf(pgbenchCounter+
		`INSERT INTO events (stream, revision, id, type, data, metadata) VALUES ('%s', :revision, gen_random_uuid(), '%s', '%s', '%s');`,
		eventsPerStream, pgbenchStream, eventType, body.Data, body.Metadata)
	return &Side{Name: name, Measure: func(ctx context.Context) (Sample, error) {
		return lab.withDatabase(ctx, func(url string) (Sample, error) {
			if err := execute(ctx, url, table); err != nil {
				return nil, err
			}
			return lab.runPgbench(ctx, url, script, lab.load(writers))
		})
	}}
}

// runPgbench drives a script with as many clients as the load has writers and
// takes the figures from its log of transactions, warm-up left out.
func (l *Lab) runPgbench(ctx context.Context, url, script string, load Load) (Sample, error) {
	program, err := findPgbench()
	if err != nil {
		return nil, err
	}
	dir, err := l.tempDir("pgbench")
	if err != nil {
		return nil, err
	}
	scriptFile := filepath.Join(dir, "script.sql")
	if err := os.WriteFile(scriptFile, []byte(script), 0o600); err != nil {
		return nil, err
	}
	const connecting = time.Second // part of pgbench's time, and not of the window
	seconds := math.Ceil((connecting + load.Warmup + load.Window).Seconds())
	ctx, cancel := context.WithTimeout(ctx, load.Warmup+load.Window+writeLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, //nolint:gosec // the installed pgbench
		"--no-vacuum", "--protocol=simple", "--define=n=0",
		"--client="+strconv.Itoa(load.Writers), "--jobs="+strconv.Itoa(min(load.Writers, 2)),
		"--time="+strconv.Itoa(int(seconds)),
		"--log", "--log-prefix="+filepath.Join(dir, "transactions"),
		"--file="+scriptFile, url)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("pgbench: %w: %s", err, bytes.TrimSpace(out))
	}
	transactions, err := readPgbenchLogs(dir)
	if err != nil {
		return nil, err
	}
	return sampleOf(transactions, load)
}

// findPgbench looks where Debian puts it, then in PATH.
func findPgbench() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		return found[len(found)-1], nil
	}
	program, err := exec.LookPath("pgbench")
	if err != nil {
		return "", unavailablef("pgbench is not installed")
	}
	return program, nil
}

// transaction is a line of pgbench's log.
type transaction struct {
	finished time.Time
	latency  time.Duration
}

func readPgbenchLogs(dir string) ([]transaction, error) {
	files, err := filepath.Glob(filepath.Join(dir, "transactions.*")) // one a thread
	if err != nil {
		return nil, err
	}
	var transactions []transaction
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		of, err := parsePgbenchLog(content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		transactions = append(transactions, of...)
	}
	return transactions, nil
}

// parsePgbenchLog reads lines of client, transaction, latency in µs, script,
// and the end of the transaction in seconds and µs.
func parsePgbenchLog(content []byte) ([]transaction, error) {
	var transactions []transaction
	lines := bufio.NewScanner(bytes.NewReader(content))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 6 {
			return nil, fmt.Errorf("unexpected line %q in pgbench's log", lines.Text())
		}
		latency, err1 := strconv.ParseInt(fields[2], 10, 64)
		second, err2 := strconv.ParseInt(fields[4], 10, 64)
		micro, err3 := strconv.ParseInt(fields[5], 10, 64)
		if err := errors.Join(err1, err2, err3); err != nil {
			return nil, fmt.Errorf("unexpected line %q in pgbench's log", lines.Text())
		}
		transactions = append(transactions, transaction{
			finished: time.Unix(second, micro*1000),
			latency:  time.Duration(latency) * time.Microsecond,
		})
	}
	return transactions, lines.Err()
}

// sampleOf keeps what finished in the window that follows the warm-up. The
// clock starts with the first transaction: connecting is not measured.
func sampleOf(transactions []transaction, load Load) (Sample, error) {
	if len(transactions) == 0 {
		return nil, errors.New("pgbench finished no transaction")
	}
	first := slices.MinFunc(transactions, func(a, b transaction) int { return a.started().Compare(b.started()) })
	begin := first.started().Add(load.Warmup)
	end := begin.Add(load.Window)
	var latencies []time.Duration
	for _, t := range transactions {
		if !t.finished.Before(begin) && !t.finished.After(end) {
			latencies = append(latencies, t.latency)
		}
	}
	return latencySample(latencies, load.Window)
}

func (t transaction) started() time.Time { return t.finished.Add(-t.latency) }
