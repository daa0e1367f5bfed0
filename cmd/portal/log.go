package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"portal.example/commands"
	"portal.example/eventstore"
	"portal.example/eventstore/node"
)

// openLog connects a subcommand to the log: by PORTAL_EVENTSTORE where it is
// set; otherwise by the data folder, opening the node itself where nobody else
// has it open. The returned function lets go of both.
func openLog(ctx context.Context, dir string, log *slog.Logger) (*eventstore.Client, func() error, error) {
	return openLogAs(ctx, dir, log, node.Access.ConnectionString)
}

// openLogAs is openLog with the account of the node that is chosen. That of
// another log is the one in PORTAL_EVENTSTORE, whoever it is.
func openLogAs(
	ctx context.Context, dir string, log *slog.Logger, as func(node.Access) string,
) (*eventstore.Client, func() error, error) {
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
	access, closeNode, err := nodeIn(ctx, dir, log)
	if err != nil {
		return nil, nil, err
	}
	client, err := eventstore.Connect(eventstore.Config{ConnectionString: as(access), Logger: log})
	if err != nil {
		return nil, nil, errors.Join(err, closeNode())
	}
	return client, func() error { return errors.Join(client.Close(), closeNode()) }, nil
}

// nodeIn finds the node that serves a folder, or becomes it for as long as the
// subcommand runs. A node that is about to serve, or to leave, is waited for.
func nodeIn(ctx context.Context, dir string, log *slog.Logger) (access node.Access, closeNode func() error, err error) {
	err = waitForLock(ctx, func() error {
		n, err := node.Start(ctx, node.Config{Dir: dir, Logger: log, Unlisted: true, Permanent: commands.Categories()})
		if err == nil {
			access, closeNode = n.Access(), n.Close
			return nil
		}
		if !errors.Is(err, node.ErrLocked) {
			return err
		}
		found, discoverErr := node.Discover(dir)
		if errors.Is(discoverErr, node.ErrNoNode) {
			return err
		}
		access, closeNode = found, func() error { return nil }
		return discoverErr
	})
	return access, closeNode, err
}

// startNode serves a folder, once a subcommand that has it open is done.
func startNode(ctx context.Context, c node.Config) (n *node.Node, err error) {
	err = waitForLock(ctx, func() error {
		n, err = node.Start(ctx, c)
		return err
	})
	return n, err
}

// patience is how long to wait for a folder that another process has open.
const patience = 10 * time.Second

// waitForLock tries again while the folder is locked.
func waitForLock(ctx context.Context, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		err := try()
		if !errors.Is(err, node.ErrLocked) {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return err
		}
	}
}
