package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"portal.example/eventstore/node"
)

// backupCommand copies the event log while it is in use.
func backupCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "backup DIR",
		Short: "Copy the event log into a folder, while writing goes on",
		Long: `Copies the event log in PORTAL_DATA (.data) into DIR, which must be empty or
missing, beside a running portal or node or without one. What was acknowledged
before is in the copy, which is read from end to end before it counts as one. The
folder that DIR lies in must be there. On one file system with the log the two share
their files, and a warning says so: for a backup that outlives the disk, name a
folder elsewhere, or copy DIR away. A backup that fails removes what it wrote.

Postgres and the master key are backed up apart; docs/operations.md tells how. A
cluster (PORTAL_EVENTSTORE) is backed up by EventStoreDB's own means.` + exitHelp,
		Args: oneArg,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := ownLog("backup"); err != nil {
				return err
			}
			data := dataFolder()
			if _, err := os.Stat(filepath.Join(data, "log")); err != nil {
				return misusef("PORTAL_DATA: holds no log: %w", err)
			}
			if liesIn(args[0], data) {
				return misusef("DIR: %s is within PORTAL_DATA (%s), where a backup is lost with what it is of", args[0], data)
			}
			log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
			access, closeNode, err := nodeIn(cmd.Context(), data, log)
			if err != nil {
				return fmt.Errorf("PORTAL_DATA: %w", err)
			}
			defer func() { err = errors.Join(err, closeNode()) }()
			b, err := node.TakeBackup(cmd.Context(), access, data, args[0], steps(cmd.ErrOrStderr()))
			if errors.Is(err, node.ErrNotEmpty) || errors.Is(err, node.ErrNoFolder) {
				return misusef("DIR: %w", err)
			}
			if err != nil {
				return fmt.Errorf("%s holds no backup: %w", args[0], err)
			}
			told := backupOf(args[0], b)
			shared, err := oneFileSystem(filepath.Join(data, "log"), args[0])
			if err != nil {
				return err
			}
			told.SameFileSystem = &shared
			if shared && !asJSON {
				fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s is on the file system of the log, and is lost with it: copy it elsewhere\n", args[0])
			}
			return told.tell(cmd.OutOrStdout(), asJSON, "backed up to")
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON for programs")
	return cmd
}

// liesIn tells whether a folder, which need not be there, is another one or lies
// in it.
func liesIn(dir, other string) bool {
	paths := []string{dir, other}
	for i, path := range paths {
		absolute, err := filepath.Abs(path)
		if err != nil {
			return false
		}
		for there := absolute; ; there = filepath.Dir(there) { // the part that is there
			if real, err := filepath.EvalSymlinks(there); err == nil {
				rest, _ := filepath.Rel(there, absolute) // which begins with there
				paths[i] = filepath.Join(real, rest)
				break
			}
		}
	}
	way, err := filepath.Rel(paths[1], paths[0])
	return err == nil && way != ".." && !strings.HasPrefix(way, ".."+string(filepath.Separator))
}

// ownLog refuses what is only for the log in PORTAL_DATA.
func ownLog(what string) error {
	if os.Getenv("PORTAL_EVENTSTORE") != "" {
		return misusef("PORTAL_EVENTSTORE: is set, and %s is for the log in PORTAL_DATA; a cluster has EventStoreDB's own backup", what)
	}
	return nil
}

// backupTold is what backup and restore print.
type backupTold struct {
	Folder   string     `json:"folder"` // of the backup
	LogID    *uuid.UUID `json:"logId"`
	Events   uint64     `json:"events"`
	Position string     `json:"position"`
	TakenAt  time.Time  `json:"takenAt"`
	Files    int        `json:"files"`
	Bytes    int64      `json:"bytes"`
	// SameFileSystem says of a backup that it shares the file system of its log.
	SameFileSystem *bool `json:"sameFileSystem,omitempty"`
}

func backupOf(folder string, b *node.Backup) backupTold {
	return backupTold{
		Folder: folder, LogID: b.LogID, Events: b.Events, Position: b.Position, TakenAt: b.TakenAt, Files: len(b.Files), Bytes: b.Bytes(),
	}
}

func (b backupTold) tell(out io.Writer, asJSON bool, done string) error {
	if asJSON {
		return json.NewEncoder(out).Encode(b)
	}
	_, err := fmt.Fprintf(out, "%d events up to position %s, as of %s, %s %s (%d files, %d bytes)\n",
		b.Events, b.Position, b.TakenAt.Format(time.RFC3339), done, b.Folder, b.Files, b.Bytes)
	return err
}

// oneFileSystem tells whether two folders share one, and so a disk.
func oneFileSystem(one, other string) (bool, error) {
	var devices [2]syscall.Stat_t
	for i, path := range []string{one, other} {
		if err := syscall.Stat(path, &devices[i]); err != nil {
			return false, fmt.Errorf("%s: %w", path, err)
		}
	}
	return devices[0].Dev == devices[1].Dev, nil
}

// steps shows each step to a person who watches, and nothing to a file.
func steps(w io.Writer) node.Progress {
	f, is := w.(*os.File)
	if !is || !term.IsTerminal(int(f.Fd())) {
		return func(node.Step, uint64, uint64) {}
	}
	var bar *progressbar.ProgressBar
	var current node.Step
	return func(step node.Step, done, total uint64) {
		if step != current {
			current = step
			options := []progressbar.Option{
				progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(string(step)),
				progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100 * time.Millisecond),
				progressbar.OptionOnCompletion(func() { fmt.Fprintln(w) }),
			}
			if step == node.Copying {
				options = append(options, progressbar.OptionShowBytes(true))
			}
			bar = progressbar.NewOptions64(int64(total), options...)
		}
		_ = bar.Set64(int64(done)) // it can only fail to be drawn
	}
}
