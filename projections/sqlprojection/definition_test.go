package sqlprojection

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// good is a definition with something of everything.
const good = `-- What it is for; a comment.
-- name: things
-- version: 3
-- tables:
CREATE TABLE thing (
  business_id text NOT NULL, /* a "comment", /* even; nested */ */ n bigint DEFAULT 0.5 * 2,
  _stream text, _position bigint, PRIMARY KEY (_stream)
);
CREATE UNIQUE INDEX ON thing (n) WHERE n > 0;

-- on: InvoiceIssued, InvoicePaymentReceived
WITH x AS (SELECT ';' AS semicolon, $$ ; '"$$ AS dollar, E'\'' AS escaped, "business_id" FROM events)
INSERT INTO thing SELECT business_id FROM x;
-- on: InvoiceVoided
-- once more:
DELETE FROM thing USING events e WHERE _stream = e.stream
`

func TestADefinitionIsRead(t *testing.T) {
	t.Parallel()
	d, err := Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	if d.Name != "things" || d.Version != 3 || d.Personal {
		t.Errorf("read as %+v", d)
	}
	if diff := cmp.Diff([]string{"InvoiceIssued", "InvoicePaymentReceived", "InvoiceVoided"}, d.Types()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"thing"}, d.Tables()); diff != "" {
		t.Error(diff)
	}
	if len(d.ddl) != 2 || !strings.HasPrefix(d.ddl[1].sql, "CREATE UNIQUE INDEX") || strings.Contains(d.ddl[1].sql, ";") {
		t.Errorf("tables: %+v", d.ddl)
	}
	if len(d.statements) != 2 || !strings.HasPrefix(d.statements[0].rest.sql, "x AS") || d.statements[0].with != "WITH " ||
		d.statements[1].rest != d.statements[1].part {
		t.Errorf("statements: %+v", d.statements)
	}
}

// What Postgres never gets to see is refused with its place in the file.
func TestWhatIsNoDefinition(t *testing.T) {
	t.Parallel()
	change := func(from, to string) string {
		if !strings.Contains(good, from) {
			t.Fatalf("no %q to change", from)
		}
		return strings.Replace(good, from, to, 1)
	}
	for _, c := range []struct{ source, want string }{
		{"", `projection.sql: there is no line that begins with "-- name:"`},
		{change("-- version: 3\n", ""), `projection.sql: there is no line that begins with "-- version:"`},
		{change("3", "three"), `:3:13: version: "three" is no whole number`},
		{change("things", "Things"), `:2:10: name: "Things" is no name`},
		{change("-- tables:", "-- name: again\n-- tables:"), `:4:1: a second "-- name:"`},
		{change("-- tables:", "-- personal: maybe\n-- tables:"), `:4:14: personal: "maybe" is neither`},
		{change("-- tables:\n", ""), `:4:1: SQL that stands neither below`},
		{change(", InvoicePaymentReceived", ", , X"), `:11:22: on: the name of a type`},
		{change(", InvoicePaymentReceived", ", InvoiceIssued"), `:11:23: on: InvoiceIssued is named twice`},
		{change("FROM x;", "FROM x; DELETE FROM thing;"), `:13:46: a second statement below one -- on:`},
		{change("DELETE FROM thing USING", "-- DELETE FROM thing USING"), `:14:1: no statement follows`},
		{change("DELETE FROM thing", "DROP SCHEMA runner CASCADE"), `:16:1: DROP is not allowed here`},
		{change("DELETE FROM thing", "TRUNCATE thing"), `:16:1: TRUNCATE is not allowed here`},
		{change("DELETE FROM thing", "SELECT 1 FROM thing"), `:16:1: SELECT is not allowed here`},
		{change("FROM x;", "FROM x WHERE '\\' = ''';"), `a backslash in a plain string`},
		{change("FROM x;", "FROM x WHERE n = $1;"), `a $ that begins no string`},
		{change("DELETE FROM thing", "DELETE FROM thing WHERE x = '"), `:16:29: this string is never closed`},
		{change("*/ */", "*/"), `:6:30: this comment is never closed`},
		{change("(_stream)\n", "(_stream\n"), `a ; between parentheses`},
		{change("CREATE UNIQUE INDEX", "CREATE FUNCTION"), `:9:8: FUNCTION is not allowed here`},
		{change("TABLE thing (", "TABLE thing -- \r AS SELECT (\n ("), `a carriage return without a line feed`},
		{change("FROM x;", "FROM x WHERE occurred_at > ' Now'::timestamptz;"), `would be the clock`},
		{change("TABLE thing (", "TABLE thing AS SELECT ("), `:5:20: AS is not allowed here`},
		{change("TABLE thing (", "TABLE thing PARTITION OF other ("), `PARTITION is not allowed here`},
		{change(");\nCREATE", ") AS SELECT 1;\nCREATE"), `:8:3: AS is not allowed here`},
		{change("TABLE thing", "TEMPORARY TABLE thing"), `TEMPORARY is not allowed here`},
		{change("TABLE thing", "TABLE runner.builds"), `a name with a schema: runner.`},
		{change("TABLE thing", "TABLE events"), `a table cannot be named events`},
		{change("PRIMARY KEY", "FOREIGN KEY (n) REFERENCES identity.api_keys, PRIMARY KEY"), `a name with a schema: identity.`},
	} {
		_, err := Parse(c.source)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %s, got %v", c.want, err)
		}
	}
}

func TestLoading(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "has no projection.sql") {
		t.Errorf("of an empty folder: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, FileName), []byte(strings.Repeat("-- long\n", largestSource/8+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "more than 256 KiB") {
		t.Errorf("of a large file: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(good)
	f.Fuzz(func(t *testing.T, source string) {
		d, err := Parse(source)
		if err != nil {
			return
		}
		for _, s := range d.statements {
			if !strings.Contains(source[s.rest.from:], s.rest.sql) || strings.Contains(s.with, ";") {
				t.Errorf("statement %+v", s)
			}
		}
	})
}
