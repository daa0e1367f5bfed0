package main

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"portal.example/commands"
	"portal.example/eventstore/node"
	"portal.example/internal/tuning"
)

// nodeCommand serves the event log by itself, for any EventStoreDB client.
func nodeCommand() *cobra.Command {
	var listen, dir string
	var insecure bool
	var permanent []string
	cmd := &cobra.Command{
		Use:   "node --data DIR",
		Short: "Serve the event log by itself, for any EventStoreDB client",
		Long: `Serves the event log in DIR over EventStoreDB's gRPC protocol until it is
interrupted.

By default connections are encrypted and need a password. Both are made at the
first start; DIR/node.json (mode 0600) tells programs on this machine the
address, the certificate to trust and the credentials. --insecure turns both
off and serves loopback addresses only.

Streams of the portal's own categories (what stands before the first dash of a
stream's name) keep all of their events: nobody can delete them or give their
metadata a $maxCount, $maxAge or $tb. --permanent names other categories instead,
and --permanent= none, which is for a log that no portal uses.` + exitHelp,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dir == "" {
				return misusef("--data: missing")
			}
			tuning.Node(cmd.Context())
			log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			n, err := startNode(cmd.Context(), node.Config{
				Dir: dir, Listen: listen, Insecure: insecure, Permanent: permanent, Logger: log,
			})
			if errors.Is(err, node.ErrListen) {
				return misusef("--listen: %w", err)
			}
			if errors.Is(err, node.ErrCategory) {
				return misusef("--permanent: %w", err)
			}
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), ready(n.Access(), dir))
			select {
			case <-cmd.Context().Done():
				return n.Close()
			case <-n.Done():
				_ = n.Close() // nothing is left to be saved
				return fmt.Errorf("the node stopped serving: %w", n.Err())
			}
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:2113", "address to serve, host:port")
	cmd.Flags().StringVar(&dir, "data", "", "folder of the log")
	cmd.Flags().BoolVar(&insecure, "insecure", false, "no encryption, no password; loopback only")
	cmd.Flags().StringSliceVar(&permanent, "permanent", commands.Categories(), "categories whose streams keep all events")
	return cmd
}

// ready says how to connect without printing a password.
func ready(a node.Access, dir string) string {
	if a.Insecure {
		return "INSECURE event log at " + a.ConnectionString()
	}
	return fmt.Sprintf("event log at esdb://%s; certificate and credentials are in %s/node.json", a.Address, dir)
}
