package exporting_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"portal.example/eventstore"
	"portal.example/eventstore/codectest"
	"portal.example/internal/exporting"
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

// What nobody has said anything about is left out, and a table of which that
// leaves no key cannot be exported.
func TestUnknownTextsAreLeftOut(t *testing.T) {
	t.Parallel()
	live := sample(t)
	tx := moment(t, live.Readers, projectiontest.BusinessID)
	table, err := exporting.Find(t.Context(), tx, "invoices", false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"reference", "currency", "status", "details"}; !reflect.DeepEqual(table.LeftOut, want) {
		t.Errorf("left out %v, want %v", table.LeftOut, want)
	}
}
