package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"portal.example/eventstore"
	"portal.example/projections/runner"
)

// shownPoison is a stream in quarantine with the event that it stands at.
type shownPoison struct {
	quarantinedStream
	Live  bool            `json:"live"`
	Stack string          `json:"stack,omitempty"`
	Event json.RawMessage `json:"event"`           // null where the log does not have it any more
	Plain json.RawMessage `json:"plain,omitempty"` // its data with the personal fields open
}

func quarantineShow() *cobra.Command {
	var personal, asJSON bool
	cmd := &cobra.Command{
		Use:   "show NAME STREAM",
		Short: "Show why a stream is in quarantine: the error, its stack, and the event",
		Long: `Shows the event that a projection cannot apply, as the log has it, with the error and,
of a panic, the stack. Where several versions of the projection stand at an event of
the stream, each is shown. Personal fields stay sealed, unless --personal says
otherwise, which takes the keys that the portal uses.` + exitHelp,
		Args: projectionAndStream,
		RunE: func(cmd *cobra.Command, args []string) error {
			var found []runner.Quarantined
			err := withDatabase(cmd, func(ctx context.Context, pool *pgxpool.Pool) (err error) {
				found, err = quarantinedAt(ctx, pool, args[0], args[1])
				return err
			})
			if err != nil {
				return err
			}
			look := func(ctx context.Context, client *eventstore.Client, codec *eventstore.Codec) error {
				var shown []shownPoison
				for _, q := range found {
					s, err := poisonOf(ctx, client, codec, q)
					if err != nil {
						return err
					}
					shown = append(shown, s)
				}
				return showPoison(cmd.OutOrStdout(), shown, asJSON)
			}
			if !personal {
				return withLog(cmd, func(ctx context.Context, client *eventstore.Client) error { return look(ctx, client, nil) })
			}
			return withPortal(cmd, func(ctx context.Context, p *portal) error { return look(ctx, p.log, p.codec) })
		},
	}
	cmd.Flags().BoolVar(&personal, "personal", false, "with the personal fields open")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return cmd
}

// projectionAndStream demands these two arguments.
func projectionAndStream(cmd *cobra.Command, args []string) error {
	if len(args) != 2 || args[1] == "" {
		return misusef("%s: name a projection and a stream", cmd.CommandPath())
	}
	return atMostOneProjection(cmd, args[:1])
}

func quarantinedAt(ctx context.Context, pool *pgxpool.Pool, projection, stream string) (found []runner.Quarantined, err error) {
	all, err := runner.ListQuarantined(ctx, pool, projection, maxQuarantined)
	for _, q := range all {
		if q.Stream == stream {
			found = append(found, q)
		}
	}
	if err == nil && found == nil {
		err = fmt.Errorf("stream %s is not in quarantine in %s", stream, projection)
	}
	return found, err
}

func poisonOf(ctx context.Context, client *eventstore.Client, codec *eventstore.Codec, q runner.Quarantined) (shownPoison, error) {
	shown := shownPoison{quarantinedStream: quarantinedOf(q), Live: q.Live, Stack: q.Stack, Event: orNull(nil)}
	e, found, err := eventAt(ctx, client, q)
	if err != nil || !found {
		return shown, err
	}
	var line bytes.Buffer
	if err := newLineWriter(&line).write(&e); err != nil {
		return shown, err
	}
	shown.Event = bytes.TrimSpace(line.Bytes())
	if codec == nil {
		return shown, nil
	}
	decoded, err := codec.DecodeBatch(ctx, []eventstore.Recorded{e})
	if err != nil || decoded[0].Err != nil {
		return shown, err // what cannot be understood is what the error is about
	}
	shown.Plain, err = json.Marshal(decoded[0].Event)
	return shown, err
}

// eventAt is the event that a stream stands at; false where the log does not have
// it any more.
func eventAt(ctx context.Context, client *eventstore.Client, q runner.Quarantined) (eventstore.Recorded, bool, error) {
	for e, err := range client.ReadStream(ctx, q.Stream, q.Revision) {
		if errors.Is(err, eventstore.ErrStreamNotFound) || errors.Is(err, eventstore.ErrStreamDeleted) {
			break
		}
		if err != nil {
			return e, false, err
		}
		e.Position = eventstore.Position{Commit: q.Position, Prepare: q.Position} // which a stream does not tell
		return e, e.ID == q.EventID, nil
	}
	return eventstore.Recorded{}, false, nil
}

func showPoison(out io.Writer, all []shownPoison, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		return encoder.Encode(map[string]any{"items": all})
	}
	for i, s := range all {
		if i > 0 {
			fmt.Fprintln(out)
		}
		state := "being filled"
		if s.Live {
			state = "live"
		}
		fmt.Fprintf(out, "projection  %s version %d, %s\nstream      %s, at revision %d, with %d events held back\nsince       %s, tried %d times, last %s\n",
			s.Projection, s.Version, state, printable(s.Stream), s.Revision, s.Held,
			s.Since.Format(time.RFC3339), s.Attempts, s.TriedAt.Format(time.RFC3339))
		fmt.Fprintf(out, "event       %s %s\n", printable(s.EventType), s.EventID)
		var e eventLine
		if err := json.Unmarshal(s.Event, &e); err != nil || e.Stream == "" {
			fmt.Fprintln(out, "            the log does not have it any more")
		} else {
			fmt.Fprintf(out, "created     %s\nmetadata    %s\ndata        %s\n", e.Created.Format(time.RFC3339Nano),
				printable(string(e.Metadata)+string(e.MetadataBase64)), printable(string(e.Data)+string(e.DataBase64)))
		}
		if s.Plain != nil {
			fmt.Fprintf(out, "plain       %s\n", printable(string(s.Plain)))
		}
		fmt.Fprintf(out, "error       %s\n", printableLines(s.Error))
		if s.Stack != "" {
			fmt.Fprintf(out, "\n%s\n", printableLines(s.Stack))
		}
	}
	return nil
}
