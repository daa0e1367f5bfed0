package codectest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"portal.example/eventstore"
)

// Golden holds event types against the files in dir, one for each type and
// version: QuoteApproved.v1.json is such an event's data as it lies in the log.
//
// Every type needs one example, best with every field filled. Its file must
// read back as the example, and the example must be written as the file has it,
// what is sealed aside. Files of older versions must still be readable, by way
// of the upcasters, and a file that no type reads is a mistake: what was stored
// once is stored for ever.
//
// With UPDATE_GOLDEN=1 in the environment the files of today's versions are
// written where they are missing or differ.
func Golden(t *testing.T, dir string, types []eventstore.EventType, examples ...any) {
	t.Helper()
	codec, err := eventstore.NewCodec(NewKeyring(), types...)
	if err != nil {
		t.Fatal(err)
	}
	missing := make(map[string]bool, len(types))
	for _, typ := range types {
		missing[file(typ.Name(), typ.Version())] = true
	}
	for _, example := range examples {
		name, data := encode(t, codec, example)
		t.Run(name, func(t *testing.T) { compare(t, codec, filepath.Join(dir, name), data, example) })
		delete(missing, name)
	}
	for name := range missing {
		t.Errorf("no example for %s", name)
	}
	readAll(t, codec, dir)
}

func file(name string, version int) string { return fmt.Sprintf("%s.v%d.json", name, version) }

// encode returns the example as it would be stored, and the file for it.
func encode(t *testing.T, codec *eventstore.Codec, example any) (name string, data []byte) {
	t.Helper()
	proposed, err := codec.Encode(context.Background(), stream, envelope(0), example)
	if err != nil {
		t.Fatal(err)
	}
	var m eventstore.Metadata
	if err := json.Unmarshal(proposed[0].Metadata, &m); err != nil {
		t.Fatal(err)
	}
	return file(proposed[0].Type, m.Schema), proposed[0].Data
}

func compare(t *testing.T, codec *eventstore.Codec, path string, encoded []byte, example any) {
	t.Helper()
	golden, err := os.ReadFile(path)
	if os.Getenv("UPDATE_GOLDEN") == "1" && (err != nil || Diff(t, golden, encoded) != "") {
		golden, err = Write(t, path, encoded), nil
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := Diff(t, golden, encoded); diff != "" {
		t.Errorf("written otherwise than in the file (-file +written):\n%s", diff)
	}
	if diff := cmp.Diff(example, read(t, codec, path), everything); diff != "" {
		t.Errorf("read back otherwise (-example +read):\n%s", diff)
	}
}

// Diff compares two stored documents, what is sealed in them aside.
func Diff(t *testing.T, golden, encoded []byte) string {
	t.Helper()
	return cmp.Diff(masked(t, golden), masked(t, encoded))
}

// everything lets cmp look at unexported fields: one that is filled in an
// example and lost on the way is a finding.
var everything = cmp.Exporter(func(reflect.Type) bool { return true })

// masked is JSON with its sealed values replaced, because no two are alike.
func masked(t *testing.T, data []byte) any {
	t.Helper()
	var document any
	if err := json.Unmarshal(data, &document); err != nil {
		t.Fatal(err)
	}
	return mask(document)
}

func mask(document any) any {
	switch d := document.(type) {
	case []any:
		for i := range d {
			d[i] = mask(d[i])
		}
	case map[string]any:
		if d["ciphertext"] != nil && d["commit"] != nil && len(d) == 2 {
			return "sealed"
		}
		for k := range d {
			d[k] = mask(d[k])
		}
	}
	return document
}

// Write writes a golden file, indented for those who review it, and returns
// what it wrote.
func Write(t *testing.T, path string, data []byte) []byte {
	t.Helper()
	pretty, err := json.MarshalIndent(json.RawMessage(data), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	pretty = append(pretty, '\n')
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, pretty, 0o644); err != nil {
		t.Fatal(err)
	}
	return pretty
}

func readAll(t *testing.T, codec *eventstore.Codec, dir string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.v*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		read(t, codec, path)
	}
}

var fileName = regexp.MustCompile(`^(.+)\.v(\d+)\.json$`)

// read decodes a golden file as if it came from the log.
func read(t *testing.T, codec *eventstore.Codec, path string) any {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	named := fileName.FindStringSubmatch(filepath.Base(path))
	if named == nil {
		t.Fatalf("%s is not named as Type.v1.json", path)
	}
	schema, err := strconv.Atoi(named[2])
	if err != nil {
		t.Fatal(err)
	}
	m := envelope(schema)
	metadata, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := codec.DecodeBatch(context.Background(), []eventstore.Recorded{{
		Stream: stream, ID: eventstore.EventID(m, stream, 0), Type: named[1], Data: data, Metadata: metadata,
	}})
	if err != nil {
		t.Fatal(err)
	}
	if decoded[0].Err != nil {
		t.Fatalf("%s: %v", path, decoded[0].Err)
	}
	return decoded[0].Event
}

const stream = "golden-1"

// envelope is the same for ever, since what is sealed is bound to the event's id.
func envelope(schema int) eventstore.Metadata {
	return eventstore.Metadata{
		CommandID:  uuid.MustParse("00000000-0000-8000-8000-000000000001"),
		Business:   "golden",
		Operation:  "golden",
		Actor:      eventstore.Actor{Kind: eventstore.ActorSystem},
		Schema:     schema,
		Origin:     eventstore.OriginLive,
		RecordedAt: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}
