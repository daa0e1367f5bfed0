package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"portal.example/commands"
	"portal.example/eventstore"
	"portal.example/internal/adapters/keys"
	"portal.example/internal/database"
	"portal.example/internal/identity"
)

// portal is what all that acts on the portal's data works with: the server and
// the subcommands beside it.
type portal struct {
	log     *eventstore.Client
	codec   *eventstore.Codec
	pool    *pgxpool.Pool
	readers *database.Readers
	room    *commands.Room
	tokens  *identity.Tokens

	closeLog func() error
}

// openPortal connects a subcommand to the portal's log and database.
func openPortal(ctx context.Context, cfg config, logger *slog.Logger) (*portal, error) {
	if err := makeDataFolder(cfg.data); err != nil {
		return nil, err
	}
	client, closeLog, err := openLog(ctx, cfg.data, logger)
	if err != nil {
		return nil, err
	}
	p, err := newPortal(ctx, cfg, client, closeLog)
	if err != nil {
		return nil, errors.Join(err, closeLog())
	}
	return p, nil
}

// newPortal opens the database, which it brings up to date, around a log.
func newPortal(ctx context.Context, cfg config, client *eventstore.Client, closeLog func() error) (p *portal, err error) {
	p = &portal{log: client, closeLog: closeLog}
	if err := database.Migrate(ctx, cfg.database); err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	if p.pool, err = database.Open(ctx, cfg.database); err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	defer func() {
		if err != nil {
			p.pool.Close()
		}
	}()
	if p.readers, err = database.NewReaders(ctx, p.pool); err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	defer func() {
		if err != nil {
			p.readers.Close()
		}
	}()
	master, err := keys.OpenMaster(cfg.masterKey, cfg.data)
	if err != nil {
		return nil, err
	}
	keyring, err := keys.Open(ctx, p.pool, master)
	if err != nil {
		return nil, err
	}
	secret, err := master.Derive("request fingerprints")
	if err != nil {
		return nil, err
	}
	if p.codec, err = eventstore.NewCodec(keyring, commands.EventTypes()...); err != nil {
		return nil, err
	}
	store, err := commands.NewStore(client, p.codec)
	if err != nil {
		return nil, err
	}
	p.room = &commands.Room{Store: store, Secret: secret, Now: time.Now}
	p.tokens, err = identity.NewTokens(p.pool, time.Now)
	return p, err
}

func (p *portal) close() error {
	p.readers.Close()
	p.pool.Close()
	return p.closeLog()
}

// withPortal opens all that the portal works with.
func withPortal(cmd *cobra.Command, do func(context.Context, *portal) error) error {
	cfg, err := readConfig()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	p, err := openPortal(cmd.Context(), cfg, log)
	if err != nil {
		return err
	}
	return errors.Join(do(cmd.Context(), p), p.close())
}
