package exporting_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"portal.example/eventstore"
	"portal.example/eventstore/codectest"
	"portal.example/internal/exporting"
	readmodels "portal.example/projections"
	"portal.example/projections/projectiontest"
)

// personalTexts are the texts of the sample's events that the log seals: those
// that are gone where events are read without keys.
func personalTexts(t *testing.T) []string {
	t.Helper()
	codec, err := eventstore.NewCodec(codectest.NewKeyring(), projectiontest.EventTypes()...)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	mine, _ := projectiontest.Sample()
	for _, d := range mine.Events {
		encoded, err := codec.Encode(t.Context(), d.Record.Stream, d.Metadata, d.Event)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range encoded {
			sealed := codec.DecodeSealed([]eventstore.Recorded{{
				Stream: d.Record.Stream, ID: p.ID, Type: p.Type, Data: p.Data, Metadata: p.Metadata,
			}})
			if sealed[0].Err != nil {
				t.Fatal(sealed[0].Err)
			}
			left := texts(t, sealed[0].Event)
			for _, text := range texts(t, d.Event) {
				if !slices.Contains(left, text) && !slices.Contains(found, text) {
					found = append(found, text)
				}
			}
		}
	}
	return found
}

// texts are all texts in a value, as its JSON has them.
func texts(t *testing.T, value any) (found []string) {
	t.Helper()
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	tokens := json.NewDecoder(bytes.NewReader(encoded))
	for token, err := tokens.Token(); err == nil; token, err = tokens.Token() {
		if text, is := token.(string); is && text != "" {
			found = append(found, text)
		}
	}
	return found
}

// Without the right, nothing that the log seals leaves in the clear; with it,
// all that read models have of it does.
func TestPersonalDataLeavesOnlyWithTheRight(t *testing.T) {
	t.Parallel()
	live := sample(t)
	tx := moment(t, live.Readers, projectiontest.BusinessID)
	exported := func(personal bool) string {
		var out bytes.Buffer
		for _, name := range names(t, tx) {
			table := find(t, tx, name, personal)
			encoder, err := exporting.NewEncoder(exporting.JSONLines, &out, name, table.Columns, true)
			if err != nil {
				t.Fatal(err)
			}
			for row, err := range table.Read(t.Context(), tx, projectiontest.BusinessID, nil, 0) {
				if err == nil {
					err = encoder.Write(row.Values)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := encoder.Close(); err != nil {
				t.Fatal(err)
			}
		}
		return out.String()
	}
	without, with := exported(false), exported(true)
	without = strings.ReplaceAll(without, `"Pumps"`, "") // the business's name, in which a line of an invoice is
	secret := personalTexts(t)
	for _, text := range []string{"Dana Reyes", "Street 1", "Leak", "Under the sink"} {
		if !slices.Contains(secret, text) || !strings.Contains(with, text) {
			t.Errorf("%q is not among what is personal, or not exported with the right", text)
		}
	}
	for _, text := range secret {
		if strings.Contains(without, text) {
			t.Errorf("%q was exported without the right", text)
		}
	}
	for _, kept := range []string{`"number":`, `"status":"`, `"C-10"`, `"team":"North"`, projectiontest.DanaID} {
		if !strings.Contains(without, kept) {
			t.Errorf("%s is missing without the right", kept)
		}
	}
}

// notes is a projection that nobody has thought about.
type notes struct{}

func (notes) Name() string                                              { return "notes" }
func (notes) Version() int                                              { return 1 }
func (notes) Types() []string                                           { return []string{"BusinessRegistered"} }
func (notes) Apply(context.Context, pgx.Tx, []eventstore.Decoded) error { return nil }
func (notes) Schema() string {
	return `
		CREATE TABLE notes (business_id text NOT NULL, note_id text PRIMARY KEY, text text, amount bigint, share numeric,
		  more jsonb, at timestamptz, _stream text, _position bigint);
		CREATE TABLE people (business_id text NOT NULL, name text PRIMARY KEY, _stream text, _position bigint);
		CREATE TABLE heap (business_id text NOT NULL, _stream text, _position bigint);`
}

// What nobody has said anything about is left out, and rows that are told apart
// by such a text, or by nothing, are not exported at all.
func TestUnknownTextsAreLeftOut(t *testing.T) {
	t.Parallel()
	live := projectiontest.Follow(t, notes{})
	mine, _ := projectiontest.Sample()
	live.Append(t, mine)
	tx := moment(t, live.Readers, projectiontest.BusinessID)
	if table := find(t, tx, "notes", false); !reflect.DeepEqual(table.LeftOut, []string{"text", "more"}) {
		t.Errorf("left out %v", table.LeftOut)
	}
	if _, err := exporting.Find(t.Context(), tx, "people", false, readmodels.Disclosed); !errors.Is(err, exporting.ErrPersonal) {
		t.Errorf("a key that may be personal: %v", err)
	}
	find(t, tx, "people", true)
	if _, err := exporting.Find(t.Context(), tx, "heap", true, readmodels.Disclosed); !errors.Is(err, exporting.ErrNoOrder) {
		t.Errorf("a table without a key: %v", err)
	}
}
