package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"portal.example/eventstore/node"
	"portal.example/projections/runner"
)

// restoreCommand puts a backup of the event log in its place.
func restoreCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "restore DIR",
		Short: "Put the event log of a backup in place",
		Long: `Puts the event log that 'portal backup' has copied into DIR into PORTAL_DATA
(.data), which must have none. Every file is compared with its checksum, and the
log is read from end to end and compared with what the backup says of it, before
it is put in place: a damaged or unfinished backup changes nothing.

What was done by itself after the backup was taken, such as a quote that expired, is
done again at the portal's next start: see docs/operations.md, Restoring.

Read models that were built from later events than the backup has refuse to run
on it. They are to be dropped, and are then built again; docs/operations.md tells
how.` + exitHelp,
		Args: oneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := ownLog("restore"); err != nil {
				return err
			}
			b, err := node.Restore(cmd.Context(), args[0], dataFolder(), steps(cmd.ErrOrStderr()))
			if errors.Is(err, node.ErrServed) {
				return misusef("PORTAL_DATA: %w", err)
			}
			if errors.Is(err, node.ErrNotEmpty) {
				return misusef("PORTAL_DATA: %w; restore into another folder, or move that one away", err)
			}
			if err != nil {
				return fmt.Errorf("nothing was restored: %w", err)
			}
			return backupOf(args[0], b).tell(cmd.OutOrStdout(), asJSON, "restored from")
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return cmd
}

// otherLog tells what to do about read models that are ahead of a log that was
// restored.
func otherLog(err error) error {
	if !errors.Is(err, runner.ErrOtherLog) {
		return err
	}
	return fmt.Errorf("%w. Where the log was restored from a backup, drop the read models and they are built again: see docs/operations.md, Restoring", err)
}
