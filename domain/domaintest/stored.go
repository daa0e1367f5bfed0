package domaintest

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Stored tests what the log will hold of a capability's events. It takes the
// package's Types and one example of each event with every field set. Every
// event of the package must have a name and an example, and its JSON must be
// the file testdata/<name>.json and read back as it was.
//
// With UPDATE_GOLDEN set in the environment it writes the files instead; a
// change of a file that is in a release is a breaking one.
func Stored[E any](t *testing.T, types map[string]E, examples []E) {
	t.Helper()
	names := make(map[reflect.Type]string, len(types))
	var named []string
	for name, event := range types {
		names[reflect.TypeOf(event)] = name
		named = append(named, reflect.TypeOf(event).Name())
	}
	slices.Sort(named)
	if diff := cmp.Diff(sealed(t), named); diff != "" {
		t.Errorf("events of the package against Types (-package +Types):\n%s", diff)
	}
	for _, example := range examples {
		goType := reflect.TypeOf(example)
		name, ok := names[goType]
		if !ok {
			t.Errorf("%s has no name or two examples", goType)
			continue
		}
		delete(names, goType)
		t.Run(name, func(t *testing.T) {
			inspect(t, name, reflect.ValueOf(example), nil)
			compareGolden(t, filepath.Join("testdata", name+".json"), example)
		})
	}
	for _, name := range names {
		t.Errorf("%s has no example", name)
	}
}

// sealed lists the types of the package under test that are events.
func sealed(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var events []string
	for _, file := range files {
		source, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range source.Decls {
			method, ok := declaration.(*ast.FuncDecl)
			if ok && method.Recv != nil && method.Name.Name == "isEvent" {
				events = append(events, method.Recv.List[0].Type.(*ast.Ident).Name)
			}
		}
	}
	slices.Sort(events)
	return events
}

var lowerCamel = regexp.MustCompile(`^[a-z][a-zA-Z0-9]*$`)

// inspect looks at every field of an example: it must be set, be stored under a
// lower camel case name, and, if it is personal, be of somebody.
func inspect(t *testing.T, path string, v reflect.Value, around []reflect.Type) {
	t.Helper()
	switch {
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			inspect(t, path+"[]", v.Index(i), around)
		}
		return
	case v.Kind() != reflect.Struct || v.Type().Implements(reflect.TypeFor[interface{ MarshalText() ([]byte, error) }]()):
		return
	}
	around = append(slices.Clip(around), v.Type())
	for i := range v.NumField() {
		field := v.Type().Field(i)
		at := path + "." + field.Name
		if v.Field(i).IsZero() {
			t.Errorf("%s is not set in the example", at)
		}
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); !lowerCamel.MatchString(name) {
			t.Errorf("%s is stored as %q", at, name)
		}
		if subject, personal := field.Tag.Lookup("personal"); personal && !has(around, subject) {
			t.Errorf("%s belongs to %s, which is nowhere around it", at, subject)
		}
		inspect(t, at, v.Field(i), around)
	}
}

func has(around []reflect.Type, name string) bool {
	return slices.ContainsFunc(around, func(t reflect.Type) bool {
		field, ok := t.FieldByName(name)
		return ok && field.Type.Kind() == reflect.String
	})
}

func compareGolden[E any](t *testing.T, file string, example E) {
	t.Helper()
	got, err := json.MarshalIndent(example, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s (-stored +now):\n%s", file, cmp.Diff(string(want), string(got)))
	}
	back := reflect.New(reflect.TypeOf(example))
	if err := json.Unmarshal(want, back.Interface()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(example, back.Elem().Interface()); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}
