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

	"portal.example/eventstore/node"
)

func parkedShow() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show GROUP NUMBER",
		Short: "Show a parked message: the event, why it was parked, the stack of a panic",
		Long: `Shows a parked message: the event as the log has it, when and why it was parked, and
the stack where a reaction panicked. How often it was tried is told of jobs, and where
the log counted that. Personal fields stay sealed.` + exitHelp,
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
			return withShelves(cmd, node.Access.ConnectionString, func(ctx context.Context, all *shelves) error {
				item, err := all.item(ctx, args[0], number)
				if err != nil {
					return err
				}
				return showItem(ctx, cmd.OutOrStdout(), item, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return cmd
}

func (s *shelves) item(ctx context.Context, group string, number uint64) (parkedItem, error) {
	shelf, err := s.named(ctx, group)
	if err != nil {
		return parkedItem{}, err
	}
	for item, err := range shelf.items(ctx) {
		if err != nil || item.Number == number {
			return item, err
		}
	}
	return parkedItem{}, fmt.Errorf("group %s has no parked message %d", group, number)
}

func showItem(ctx context.Context, out io.Writer, item parkedItem, asJSON bool) error {
	e, found, err := item.find(ctx)
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
