package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"portal.example/eventstore"
	"portal.example/internal/exporting"
)

// export is a part of the log on its way out.
type export struct {
	selection
	from, until bound
	format      exporting.Format
	output      string
	scope       map[string]string // what a folder is an export of
	codec       *eventstore.Codec // nil leaves personal fields sealed

	Events   uint64 `json:"events"`             // written by this run
	Position string `json:"position,omitempty"` // of the last one in the file, by whichever run
	File     string `json:"file,omitempty"`
}

func eventsExport() *cobra.Command {
	var (
		x                 export
		slug, from, until string
		format            string
		personal, asJSON  bool
	)
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write events to a file as JSON Lines, or as CSV or Parquet",
		Long: `Writes events as JSON Lines, an object a line in the order of the log, to the
standard output or to a file (mode 0600), which is on disk when the command ends.

With --format csv or parquet, --output is a folder, which gets events.csv or parts
(events-00001.parquet), and events.manifest.json, which tells how far they are; CSV
can also go to the standard output. Columns are named as in JSON, where metadata and
data are texts; revision is an integer, and created a timestamp.

An export into a file that was interrupted goes on where it ended when it is started
again: after the last whole line of the file, whose position tells how far it is. In
the same way a finished one is brought up to date. A file that is something else is
left alone.

--from and --until are positions, or times (RFC 3339, or a day, in UTC) at which the
log took the events. A position is where another part ended: events after --from, up
to and including --until. Of times, --from is included and --until is not.

With --personal, personal fields are open where their person has not been erased, and
lines have "personal":true; data and metadata are then as this version of the program
would write them. It takes the keys, and with them DATABASE_URL. One file or folder is
for one or the other.

With --json and --output it ends with {"events":N,"position":P,"file":F}: events
written by this run, and the position of the last one in the file.

` + lineHelp + exitHelp,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if x.from, err = parseBound("--from", from); err != nil {
				return err
			}
			if x.until, err = parseBound("--until", until); err != nil {
				return err
			}
			if x.format, err = exporting.ParseFormat(format); err != nil {
				return misusef("--format: %w", err)
			}
			if x.format == exporting.Parquet && x.output == "" {
				return misusef("--output: missing: Parquet needs a folder")
			}
			do := func(ctx context.Context, client *eventstore.Client) (err error) {
				if x.business, err = businessIn(ctx, client, slug); err != nil {
					return err
				}
				if err := errors.Join(within(ctx, client, "--from", x.from.position), within(ctx, client, "--until", x.until.position)); err != nil {
					return err
				}
				x.scope = map[string]string{"business": x.business, "from": from, "until": until, "personal": strconv.FormatBool(personal)}
				if x.output == "" {
					return x.toStdout(ctx, cmd, client)
				}
				to := x.toFile
				if x.format != exporting.JSONLines {
					to = x.toFolder
				}
				if err := to(ctx, cmd.ErrOrStderr(), client); err != nil {
					return err
				}
				if asJSON {
					return json.NewEncoder(cmd.OutOrStdout()).Encode(x)
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), x.told())
				return err
			}
			if !personal {
				return withLog(cmd, do)
			}
			return withPortal(cmd, func(ctx context.Context, p *portal) error {
				x.codec = p.codec
				return do(ctx, p.log)
			})
		},
	}
	cmd.Flags().StringVarP(&x.output, "output", "o", "", "the file, or of CSV and Parquet the folder; unset, the standard output")
	cmd.Flags().StringVar(&format, "format", string(exporting.JSONLines), "jsonl, csv or parquet")
	cmd.Flags().StringVar(&from, "from", "", "where to begin: a position, or a time")
	cmd.Flags().StringVar(&until, "until", "", "where to end: a position, or a time")
	cmd.Flags().StringVar(&slug, "business", "", "only events of this business, by slug or id")
	cmd.Flags().BoolVar(&personal, "personal", false, "with the personal fields open")
	cmd.Flags().BoolVar(&asJSON, "json", false, "tell the end of an export into a file as JSON")
	return cmd
}

// bound is one end of a part of the log: a position, a time, or neither.
type bound struct {
	position eventstore.Position
	at       time.Time
}

func parseBound(flag, text string) (b bound, err error) {
	if text == "" {
		return b, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if b.at, err = time.Parse(layout, text); err == nil {
			return b, nil
		}
	}
	if b.position, err = eventstore.ParsePosition(text); err != nil {
		return b, misusef("%s: must be a position or a time, not %.40q", flag, text)
	}
	return b, nil
}

// in tells whether an event is in the part, and whether all that follow are
// beyond it. Times do not tell the latter: clocks of a cluster's nodes differ.
func (x *export) in(e *eventstore.Recorded) (in, beyond bool) {
	if u := x.until.position; u != eventstore.Start() && e.Position.Compare(u) > 0 {
		return false, true
	}
	return (x.from.at.IsZero() || !e.Created.Before(x.from.at)) &&
		(x.until.at.IsZero() || e.Created.Before(x.until.at)) && x.has(e), false
}

func (x *export) toStdout(ctx context.Context, cmd *cobra.Command, client *eventstore.Client) error {
	var err error
	if x.format == exporting.CSV {
		err = x.toCSV(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr(), client)
	} else {
		err = x.toLines(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr(), client, x.from.position)
	}
	fmt.Fprintln(cmd.ErrOrStderr(), x.told())
	return err
}

// told is how far the export is, for people.
func (x *export) told() string {
	switch {
	case x.Position == "":
		return fmt.Sprintf("%d events exported", x.Events)
	case x.File == "":
		return fmt.Sprintf("%d events exported, the last at position %s", x.Events, x.Position)
	default:
		return fmt.Sprintf("%d events exported; %s ends with position %s", x.Events, x.File, x.Position)
	}
}

func (x *export) toFile(ctx context.Context, told io.Writer, client *eventstore.Client) error {
	f, err := openExport(x.output)
	if err != nil {
		return err
	}
	defer f.Close()
	x.File = x.output
	after := x.from.position
	last, err := f.resume()
	if err == nil && last != nil {
		x.Position = last.Position
		after, err = x.goOn(ctx, client, last)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", x.output, err)
	}
	err = x.toLines(ctx, f, told, client, after)
	if syncErr := f.Sync(); err == nil {
		err = syncErr
	}
	if err != nil {
		return fmt.Errorf("%s: %w; start it again to go on", x.told(), err)
	}
	return nil
}

// goOn is the position after which an export goes on whose file ends with this
// event. It makes sure that the event is in this log, and one of those to be
// exported.
func (x *export) goOn(ctx context.Context, client *eventstore.Client, last *eventLine) (eventstore.Position, error) {
	at, err := eventstore.ParsePosition(last.Position)
	if err != nil {
		return at, err
	}
	if last.Personal != (x.codec != nil) {
		return at, errors.New("one with and one without --personal need two files")
	}
	for e, err := range client.ReadStream(ctx, last.Stream, last.Revision) {
		if err != nil && !errors.Is(err, eventstore.ErrStreamNotFound) {
			return at, err
		}
		if err != nil || e.ID != last.ID {
			break
		}
		e.Position = at
		if in, _ := x.in(&e); !in || at.Compare(x.from.position) <= 0 {
			return at, errors.New("it ends with an event that is not to be exported; another part of the log needs another file")
		}
		return at, nil
	}
	return at, errors.New("it ends with an event that this log does not have")
}

// toLines writes the events after a position as JSON Lines. Also of a run that
// fails, the lines that are whole are kept.
func (x *export) toLines(ctx context.Context, out, told io.Writer, client *eventstore.Client, after eventstore.Position) error {
	buffer := bufio.NewWriterSize(out, 1<<20)
	lines := newLineWriter(buffer)
	lines.personal = x.codec != nil
	return errors.Join(x.each(ctx, told, client, after, lines.write), buffer.Flush())
}

// each passes on the events after a position, as far as the log goes now.
func (x *export) each(
	ctx context.Context, told io.Writer, client *eventstore.Client, after eventstore.Position, write func(*eventstore.Recorded) error,
) error {
	head, err := client.Head(ctx)
	if err != nil {
		return err
	}
	if u := x.until.position; u != eventstore.Start() && u.Compare(head) < 0 {
		head = u
	}
	bar := exportBar(told, after, head)
	defer func() { _ = bar.Exit() }()
	o := opener{codec: x.codec, write: x.counted(write)}
	for e, err := range client.ReadAll(ctx, after) {
		if err != nil {
			return err
		}
		in, beyond := x.in(&e)
		if beyond {
			break
		}
		switch {
		case !in:
		case x.codec == nil:
			err = o.write(&e)
		default:
			err = o.take(ctx, &e)
		}
		if err != nil {
			return err
		}
		_ = bar.Set64(int64(e.Position.Commit - after.Commit)) // it can only fail to be drawn
	}
	if len(o.waiting) > 0 {
		return o.flush(ctx)
	}
	return nil
}

// counted takes note of what has been written.
func (x *export) counted(write func(*eventstore.Recorded) error) func(*eventstore.Recorded) error {
	return func(e *eventstore.Recorded) error {
		if err := write(e); err != nil {
			return err
		}
		x.Events++
		x.Position = e.Position.String()
		return nil
	}
}

// exportBar shows a person who watches how far the export is, and nothing to a
// file. Positions are no counts, but show the share that is done.
func exportBar(w io.Writer, after, head eventstore.Position) *progressbar.ProgressBar {
	length := int64(1)
	if head.Commit > after.Commit {
		length = int64(head.Commit - after.Commit)
	}
	if !isTerminal(w) {
		return progressbar.DefaultSilent(length)
	}
	return progressbar.NewOptions64(length,
		progressbar.OptionSetWriter(w), progressbar.OptionSetDescription("exporting"),
		progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionOnCompletion(func() { fmt.Fprintln(w) }),
	)
}
