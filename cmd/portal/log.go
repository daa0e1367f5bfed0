package main

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"portal.example/eventstore"
	"portal.example/eventstore/node"
)

// openLog connects a subcommand to the log: by PORTAL_EVENTSTORE where it is
// set; otherwise by the data folder, opening the node itself where nobody else
// has it open. The returned function lets go of both.
func openLog(ctx context.Context, dir string, log *slog.Logger) (*eventstore.Client, func() error, error) {
	if connection := os.Getenv("PORTAL_EVENTSTORE"); connection != "" {
		client, err := eventstore.Connect(eventstore.Config{ConnectionString: connection, Logger: log})
		if err != nil {
			return nil, nil, misusef("PORTAL_EVENTSTORE: %w", err)
		}
		return client, client.Close, nil
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, nil, misusef("PORTAL_DATA: %w", err)
	}
	connection, closeNode, err := nodeIn(ctx, dir, log)
	if err != nil {
		return nil, nil, err
	}
	client, err := eventstore.Connect(eventstore.Config{ConnectionString: connection, Logger: log})
	if err != nil {
		return nil, nil, errors.Join(err, closeNode())
	}
	return client, func() error { return errors.Join(client.Close(), closeNode()) }, nil
}

// nodeIn finds the node that serves a folder, or becomes it.
func nodeIn(ctx context.Context, dir string, log *slog.Logger) (connection string, closeNode func() error, err error) {
	n, err := node.Start(ctx, node.Config{Dir: dir, Logger: log})
	if err == nil {
		return n.ConnectionString(), n.Close, nil
	}
	if !errors.Is(err, node.ErrLocked) {
		return "", nil, err
	}
	access, err := node.Discover(dir)
	if err != nil {
		return "", nil, err
	}
	return access.ConnectionString(), func() error { return nil }, nil
}
