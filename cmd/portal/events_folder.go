package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/google/uuid"

	"portal.example/eventstore"
	"portal.example/internal/exporting"
)

// eventColumns are what eventLine has, as columns.
var eventColumns = []exporting.Column{
	{Name: "position", Kind: exporting.Text},
	{Name: "stream", Kind: exporting.Text},
	{Name: "revision", Kind: exporting.Integer},
	{Name: "id", Kind: exporting.Text},
	{Name: "type", Kind: exporting.Text},
	{Name: "created", Kind: exporting.Instant},
	{Name: "metadata", Kind: exporting.JSON},
	{Name: "metadataBase64", Kind: exporting.Text},
	{Name: "data", Kind: exporting.JSON},
	{Name: "dataBase64", Kind: exporting.Text},
}

func eventRow(e *eventstore.Recorded) ([]any, error) {
	metadata, metadataBase64, err := asCells(e.Metadata)
	if err != nil {
		return nil, err
	}
	data, dataBase64, err := asCells(e.Data)
	return []any{
		e.Position.String(), e.Stream, int64(e.Revision), e.ID.String(), e.Type, e.Created.UTC(),
		metadata, metadataBase64, data, dataBase64,
	}, err
}

// asCells is asStored for columns: what is not there is nil.
func asCells(stored []byte) (text, encoded any, err error) {
	if len(stored) == 0 {
		return nil, nil, nil
	}
	raw, other := asStored(stored)
	if other != nil {
		return nil, base64.StdEncoding.EncodeToString(other), nil
	}
	var line bytes.Buffer
	err = json.Compact(&line, raw)
	return line.String(), nil, err
}

// eventKey is how an event is found again, to go on after it.
func eventKey(e *eventstore.Recorded) []string {
	return []string{e.Position.String(), e.Stream, strconv.FormatUint(e.Revision, 10), e.ID.String()}
}

// parseEventKey is the event of a key.
func parseEventKey(key []string) (*eventLine, error) {
	if len(key) != 4 {
		return nil, errNoExport
	}
	revision, err := strconv.ParseUint(key[2], 10, 63)
	if err != nil {
		return nil, errNoExport
	}
	id, err := uuid.Parse(key[3])
	if err != nil {
		return nil, errNoExport
	}
	return &eventLine{Position: key[0], Stream: key[1], Revision: revision, ID: id}, nil
}

// toCSV writes the events to the standard output.
func (x *export) toCSV(ctx context.Context, out, told io.Writer, client *eventstore.Client) error {
	encoder, err := exporting.NewEncoder(x.format, out, "events", eventColumns, true)
	if err != nil {
		return err
	}
	err = x.each(ctx, told, client, x.from.position, func(e *eventstore.Recorded) error {
		row, err := eventRow(e)
		if err != nil {
			return err
		}
		return encoder.Write(row)
	})
	return errors.Join(err, encoder.Close())
}

// toFolder writes the events into a folder, after those that it has.
func (x *export) toFolder(ctx context.Context, told io.Writer, client *eventstore.Client) error {
	folder, err := exporting.Open(x.output, exporting.Manifest{
		Dataset: "events", Format: x.format, Scope: x.scope, Columns: eventColumns,
	})
	if err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	x.File = folder.ManifestPath()
	err = x.intoFolder(ctx, told, client, folder)
	if err != nil {
		err = fmt.Errorf("%s: %w; start it again to go on", x.told(), err)
	}
	return errors.Join(err, folder.Close(err == nil))
}

func (x *export) intoFolder(ctx context.Context, told io.Writer, client *eventstore.Client, folder *exporting.Folder) error {
	after := x.from.position
	if key := folder.Manifest.After; key != nil {
		last, err := parseEventKey(key)
		if err != nil {
			return err
		}
		last.Personal = x.codec != nil // as the scope has it
		if after, err = x.goOn(ctx, client, last); err != nil {
			return err
		}
		x.Position = last.Position
	}
	var newest time.Time
	err := x.each(ctx, told, client, after, func(e *eventstore.Recorded) error {
		row, err := eventRow(e)
		if err != nil {
			return err
		}
		newest = e.Created.UTC()
		return folder.Write(row, eventKey(e))
	})
	if !newest.IsZero() { // what the log has never changes: it is complete up to the last event
		folder.Manifest.From = nil
		folder.At(exporting.Moment{Position: x.Position, AsOf: newest})
	}
	return err
}
