package api

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"html/template"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// nameSchema keeps apart types of one name in several packages, by the name of
// the package.
func nameSchema(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	name := huma.DefaultSchemaNamer(t, hint)
	path := t.PkgPath()
	if t.Name() == "" || path == "" {
		return name
	}
	room := path[strings.LastIndexByte(path, '/')+1:]
	if room == "api" {
		return name
	}
	return strings.ToUpper(room[:1]) + room[1:] + name
}

//go:embed document.html
var documentHTML string

var documentTemplate = template.Must(template.New("document").Parse(documentHTML))

// documentPage shows the OpenAPI document to people. It needs no script and
// nothing from elsewhere.
func documentPage(document []byte) ([]byte, error) {
	var spec struct {
		Info struct {
			Title, Version, Description string
		}
		Paths      map[string]map[string]operation
		Components struct {
			Schemas map[string]json.RawMessage
		}
	}
	if err := json.Unmarshal(document, &spec); err != nil {
		return nil, err
	}
	var operations []operation
	for path, methods := range spec.Paths {
		for method, op := range methods {
			op.Path, op.Method = path, strings.ToUpper(method)
			operations = append(operations, op)
		}
	}
	slices.SortFunc(operations, func(x, y operation) int {
		return cmp.Or(cmp.Compare(x.Path, y.Path), cmp.Compare(x.Method, y.Method))
	})
	schemas := make(map[string]string, len(spec.Components.Schemas))
	for name, schema := range spec.Components.Schemas {
		schemas[name] = indent(schema)
	}
	var page bytes.Buffer
	err := documentTemplate.Execute(&page, map[string]any{
		"Info": spec.Info, "Operations": operations, "Schemas": schemas,
	})
	return page.Bytes(), err
}

type operation struct {
	Path, Method         string
	Summary, Description string
	Security             *[]json.RawMessage
	Parameters           []struct {
		Name, In, Description string
		Required              bool
	}
	RequestBody json.RawMessage
	Responses   map[string]struct{ Description string }
}

// Public says whether the operation needs no token.
func (o operation) Public() bool { return o.Security != nil && len(*o.Security) == 0 }

// Body is the schema of the request's body.
func (o operation) Body() string { return indent(o.RequestBody) }

func indent(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return "" // there is none
	}
	return b.String()
}
