// Command portal is the whole product in one binary: the portal itself, its
// event log, and the tools of the people who run it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"portal.example/internal/tuning"
)

// Exit statuses, which every subcommand's help repeats.
const (
	exitOK        = 0
	exitFailed    = 1 // what was asked for could not be done
	exitMisused   = 2 // unknown subcommand or flag, or a wrong value
	exitDifferent = 3 // projections diff --exit-code
)

const exitHelp = "\n\nExit status: 0 done, 1 failed, 2 wrong usage or configuration."

func main() {
	tuning.Runtime()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second interrupt ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process: tests start the binary's every part by it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:           "portal",
		Short:         "A customer portal whose every action is a timestamped fact",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &misuse{err} })
	root.AddCommand(serveCommand(), nodeCommand(), businessCommand(), keysCommand(), importCommand(), demoCommand(),
		eventsCommand(), exportCommand(), parkedCommand(), projectionsCommand(), backupCommand(), restoreCommand())

	err := root.ExecuteContext(ctx)
	var wrong *misuse
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errDifferent):
		return exitDifferent
	case errors.As(err, &wrong):
		fmt.Fprintf(stderr, "portal: %v\n", err)
		return exitMisused
	default:
		fmt.Fprintf(stderr, "portal: %v\n", err)
		return exitFailed
	}
}

// misuse is an error of the person who typed the command.
type misuse struct{ error }

func (m *misuse) Unwrap() error { return m.error }

func misusef(format string, args ...any) error { return &misuse{fmt.Errorf(format, args...)} }

// oneArg demands the one thing that a command takes.
func oneArg(cmd *cobra.Command, args []string) error {
	if len(args) == 1 && args[0] != "" {
		return nil
	}
	return misusef("%s takes one argument, as in: %s", cmd.CommandPath(), cmd.Use)
}

// noArgs refuses what stands after a command that takes nothing, an unknown
// subcommand among it.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.HasSubCommands() {
		return misusef("unknown subcommand %q of %s", args[0], cmd.CommandPath())
	}
	return misusef("%s takes no arguments, got %q", cmd.CommandPath(), args[0])
}
