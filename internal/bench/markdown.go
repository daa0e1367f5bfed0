package main

import (
	"fmt"
	"strings"
	"time"
)

// document is docs/benchmarks.md: the results of one run, what they were
// measured on, and what to know before quoting them.
func (r Report) document() string {
	var doc strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&doc, format+"\n", args...) }

	line("# Benchmarks\n")
	line("<!-- Written by `go run ./internal/bench --markdown docs/benchmarks.md`; edit internal/bench/markdown.go instead. -->\n")
	line("Everything below was measured on %s in one run of `internal/bench` on one machine, in the", r.At.Format(time.DateOnly))
	line("sizes named below, the contenders taking turns. Only the ratios travel to another machine,")
	line("and only they decide: a run exits with 1 when one misses its budget.\n")
	for _, l := range r.reservations() {
		line("**%s**\n", l)
	}
	line("## Results\n")
	r.writeRows(line)
	line("## What it was measured on\n")
	for _, l := range append(r.Machine.lines(), r.sizes()...) {
		line("- %s", l)
	}
	line("\n## Figures\n")
	r.writeSides(line)
	doc.WriteString(notes)
	return doc.String()
}

func (r Report) writeRows(line func(string, ...any)) {
	line("| %s |", strings.Join(header, " | "))
	line("|%s", strings.Repeat("---|", len(header)))
	for _, row := range r.Rows {
		line("| %s |", strings.Join(row.cells(), " | "))
	}
	line("")
	for _, row := range r.Rows {
		if row.Why != "" {
			line("- %s against %s, %s: %s", row.Name, row.Against, row.Verdict, row.Why)
		}
	}
	line("%s\n", r.conclusion())
}

// writeSides gives the medians behind the ratios.
func (r Report) writeSides(line func(string, ...any)) {
	line("Medians of the runs. Latencies are nearest-rank percentiles over every append in the window.\n")
	line("| load | contender | figures |")
	line("|---|---|---|")
	for _, taken := range r.Sides {
		if len(taken.Samples) > 0 {
			line("| %s | %s | %s |", taken.Group, taken.Side, medians(taken.Samples))
		}
	}
	line("")
}

func medians(samples []Sample) Sample {
	result := Sample{}
	for figure := range samples[0] {
		result[figure] = median(pick(samples, figure))
	}
	return result
}

var notes = strings.TrimSpace(`
## How to repeat it

    make bench                                  # all rows, about half an hour on two cores
    export CGO_ENABLED=0                        # as the portal is built
    go run ./internal/bench --short             # a few minutes: does everything work?
    go run ./internal/bench --only reading      # some of the rows
    go run ./internal/bench --events 10000000   # growth to ten million events
    go run ./internal/bench --only replay --replay 10000000 --runs 1 --window 40s   # a replay of ten million events
    go run ./internal/bench --json run.json --markdown docs/benchmarks.md

It needs Go, PostgreSQL's server and pgbench (Debian: `+"`postgresql`"+` has both), and Node.js
with npm for Emmett and message-db. A row whose opponent is not installed is "not measured", which
is neither a pass nor a failure. Nothing has to be running: the program starts a private Postgres and
the nodes it measures in TMPDIR, which must be on a disk, and removes them. Let the machine be idle.

## What the contenders do

- **The load** of appends is the same for all: closed loops, each waiting for its answer; events of 500 bytes
  (389 of JSON data, 111 of metadata); ten events to a stream, each appended by itself at the exact
  revision, then a new stream; all streams in one category. Every append is acknowledged after fsync,
  except by the in-memory server.
- **node** is the embedded node in the process of the load, as in `+"`portal serve`"+`, TLS and credentials on,
  driven through package eventstore, which sends appends over standing calls of BatchAppend and, in one process,
  past the network (docs/decisions/0024), Go's runtime tuned as the portal's. "In a process of its own" is
  `+"`portal node`"+`, over TCP; "by EventStoreDB's client" is its own Go client, a call for each append, over TCP.
  Reading and growth are by that client, too, where they do not name the portal's.
- **Postgres, one-row insert** is pgbench with the simple protocol, one row an event into a table with a
  unique (stream, revision) and nothing more; default settings with fsync on, over the Unix socket without
  TLS, which is its fastest way in. "With a global order" adds an identity column as the order over all
  streams, and jsonb instead of text.
- **Emmett** is appendToStream of @event-driven-io/emmett-postgresql 0.42.0 in one Node.js process
  with as many connections as writers, on that Postgres.
- **message-db** is write_message of @eventide/message-db 1.3.1 called by pgbench on that Postgres. It locks
  the category of a stream until the transaction ends, so with all streams in one category its
  writers queue; the row with a category for each client shows it without that.
- **The in-memory server** is a gRPC server, in the process of the load too, that keeps events as messages
  and stores nothing. The one "of encoded events" keeps the bytes of the answer, which makes it the
  limit of the client. The node can be faster than the former: it writes the answer's bytes itself.
- **Commands over HTTP** go to `+"`portal serve`"+`, the real program in a process of its own with its log, its database
  and its projections running. 32 connections each take steps on 16 requests that the portal has
  folded before; every answer waits for the disk. The load speaks HTTP by hand, so as to be light.
- **Durable to visible**: 500 such commands a second at a steady rate; after every fifth of a writer its
  request is read with the command's Portal-Position. The time runs from the command's answer to the
  read's, so it includes a whole read.
- **One record**: 500 reads a second of requests, which record no view, over 32 connections. The bare server is
  a process of its own that asks the same query of the same database through pgx and writes the same JSON; it
  authenticates nobody, checks no rights and does not tell how fresh its answer is.
- **Rebuild**: the log holds the demo business's history, imported as often as it takes. With two hundred
  thousand events (`+"`--rebuild 200000`"+`) beginning and ending take a larger part, and the opponent's primary key is cheaper:
  the timeline's ratio in process was 0.69 in fifteen runs of that size, and 0.76 in three others. With a million it was
  0.72 in three runs of an hour before these, while the index in order of time had the business's id in it, and 0.77 in six with
  its hash (decision 0025). New tables are filled beside the live ones, and the time runs until requests read them, indexes
  included; rates are events a second. "By the client" is over TLS from a log in the same process, "in process"
  is how `+"`portal serve`"+` reads its own node.
- **COPY of the same rows** is the timeline's rows, from a file in the system's memory, by binary COPY in one statement: into a table with the
  columns that order it as primary key, and into one with all indexes of the read model.
- **INSERT … SELECT … ON CONFLICT** takes the invoices' rows from a table in Postgres into one with the primary key. "A row an
  event" does it as often for an invoice as it has events, each time with the last state; "each row once" is the
  result without the way to it.
- **Growth**: the node runs in a process of its own. Its log is filled in streams of 20, the node killed and
  opened again, then loaded with half of the appends going to old streams picked at random. Memory is the peak of the node's
  process (VmHWM), filling excluded. The log it is held against has 10,000 events.
- **Replay**: `+"`portal serve`"+` on a log of that many events fills timeline and then invoices anew, with cut-over,
  while 8 connections take steps on requests at a steady 200 a second; the same steps without a replay are what
  their p99 is held against. The time of a step runs from when it was due. Memory is the peak of the portal's process
  (VmHWM), which was started after the first reading of the log, against that of a log of a tenth, filled from the
  same business; with fewer than ten million not even the bounded buffers are full.
  Before each of these Postgres has vacuumed and written a checkpoint, as it has beside a portal that has been live for
  some time, and its `+"`backend_flush_after`"+` is that of `+"`make run`"+`; what it vacuums after a cut-over is not measured. Go's memory
  limit of 768 MiB bounds the peak: it tells that what a replay keeps has room below that.
  Afterwards the rows are compared with those that were live before, and a difference fails the run. "Nobody waiting"
  is the same while those connections are silent: a replay gives way to requests only while there are any. It and
  memory have budgets from ten million events on.
- The log of a replay is one business of the demo, which follows the distributions of the real histories, and clones of it:
  the same events, appended stream by stream, with other ids in streams, events, data and metadata, and so as
  many businesses as it takes. The personal fields of clones cannot be opened and count as erased. Timeline never
  opens any; invoices looks up their keys and is spared the decryption.
- **Watermill**: its router with handlers that do nothing. "Watermill alone" and "with middleware" pass messages over a Go
  channel, so they measure Watermill and its middleware, nothing of the portal's. "On a persistent subscription" has
  a node in the same process, a stream of as many events as reading has, and one group with a consumer for each
  handler, all with that middleware; the time runs until the last one has been handled.
- Figures that are no ratios (opening, memory, latencies by themselves) have budgets too, but say as much about the machine
  as about the program: past one the verdict is "over", and the run does not fail.
`) + "\n"
