package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// messageDB is the side that appends by message-db's write_message. All streams
// are of one category, as in the other sides, or each client has its own:
// write_message takes a lock on the category until its transaction ends.
func messageDB(lab *Lab, writers int, categoryPerClient bool) *Side {
	name, stream := "message-db", pgbenchStream
	if categoryPerClient {
		name, stream = "message-db, a category for each client", category+":client_id-0f3a9c1e-5b7d-4e2a-9c41-:stream"
	}
	body := lab.payloads[0]
	script := fmt.Sprintf(pgbenchCounter+
		`SELECT write_message(gen_random_uuid()::varchar, '%s', '%s', '%s'::jsonb, '%s'::jsonb, :revision - 1);`,
		eventsPerStream, stream, eventType, body.Data, body.Metadata)
	return &Side{Name: name, Measure: func(ctx context.Context) (Sample, error) {
		if err := lab.npm(); err != nil {
			return nil, err
		}
		return lab.withDatabase(ctx, func(url string) (Sample, error) {
			if err := installMessageDB(ctx, url); err != nil {
				return nil, err
			}
			return lab.runPgbench(ctx, url, script, lab.load(writers))
		})
	}}
}

// installMessageDB runs the files that message-db's own install.sh runs, in its
// order, less the role and its privileges.
func installMessageDB(ctx context.Context, url string) error {
	root := filepath.Join(jsDir, "node_modules", "@eventide", "message-db", "database")
	if err := execute(ctx, url, "ALTER DATABASE bench SET search_path TO message_store, public"); err != nil {
		return err
	}
	files := []string{
		"schema/message-store", "extensions/pgcrypto", "tables/messages", "types/message",
		"functions/message-store-version", "functions/hash-64", "functions/acquire-lock",
		"functions/category", "functions/is-category", "functions/id", "functions/cardinal-id",
		"functions/stream-version", "functions/write-message", "functions/get-stream-messages",
		"functions/get-category-messages", "functions/get-last-stream-message",
		"indexes/messages-id", "indexes/messages-stream", "indexes/messages-category",
	}
	for _, file := range files {
		sql, err := os.ReadFile(filepath.Join(root, file+".sql"))
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("message-db is not the expected version: %w", err)
		}
		if err != nil {
			return err
		}
		if err := execute(ctx, url, string(sql)); err != nil {
			return fmt.Errorf("message-db: %s: %w", file, err)
		}
	}
	return nil
}
