package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"portal.example/eventstore"
)

func parkedShow() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show GROUP NUMBER",
		Short: "Show a parked message: the event, why it was parked, the stack of a panic",
		Long: `Shows a parked message: the event as the log has it, when and why it was parked, and
the stack where a reaction panicked. How often it was tried is told where the log
counted that. Personal fields stay sealed.` + exitHelp,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return misusef("%s: name a group and the number of a message", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := parseNumber(args[1])
			if err != nil {
				return err
			}
			return withLog(cmd, func(ctx context.Context, client *eventstore.Client) error {
				g, err := groupNamed(ctx, client, args[0])
				if err != nil {
					return err
				}
				m, err := messageOf(ctx, client, g, number)
				if err != nil {
					return err
				}
				return showMessage(ctx, cmd.OutOrStdout(), client, m, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return cmd
}

func showMessage(ctx context.Context, out io.Writer, client *eventstore.Client, m eventstore.ParkedMessage, asJSON bool) error {
	item := itemOf(m)
	e, found, err := eventOf(ctx, client, m)
	if err != nil {
		return err
	}
	var line bytes.Buffer
	if found {
		// A stream does not tell the position in the whole log.
		if err := newLineWriter(&line).write(&e); err != nil {
			return err
		}
	}
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		return encoder.Encode(struct {
			parkedItem
			Event json.RawMessage `json:"event"` // null where the log does not have it any more
		}{item, orNull(line.Bytes())})
	}
	fmt.Fprintf(out, "number    %d\nparked    %s\nevent     %s\n", item.Number, item.Parked.Format(time.RFC3339), printable(eventText(item)))
	if found {
		fmt.Fprintf(out, "type      %s\nid        %s\nmetadata  %s\ndata      %s\n",
			printable(e.Type), e.ID, printable(string(e.Metadata)), printable(string(e.Data)))
	} else {
		fmt.Fprintln(out, "          the log does not have it any more")
	}
	if item.Attempts > 0 {
		fmt.Fprintf(out, "attempts  %d\n", item.Attempts)
	}
	fmt.Fprintf(out, "reason    %s\n", printableLines(item.Reason))
	if item.Stack != "" {
		fmt.Fprintf(out, "\n%s\n", printableLines(item.Stack))
	}
	return nil
}

func orNull(text []byte) json.RawMessage {
	if len(text) == 0 {
		return json.RawMessage("null")
	}
	return text
}

// printableLines is printable for a text of several lines.
func printableLines(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\n' || r == '\t' {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}
