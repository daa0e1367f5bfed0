package domain_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portal.example/domain"
	"portal.example/domain/domaintest"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		check func(*domain.Check)
		want  []string
	}{
		"an id":                    {func(c *domain.Check) { c.ID("f", "0198c5a4-2f6e-8b1c-9d3e-4f5a6b7c8d9e") }, nil},
		"an id in upper case":      {func(c *domain.Check) { c.ID("f", "0198C5A4-2F6E-8B1C-9D3E-4F5A6B7C8D9E") }, []string{"f: not_an_id"}},
		"an id without dashes":     {func(c *domain.Check) { c.ID("f", strings.Repeat("0", 36)) }, []string{"f: not_an_id"}},
		"no id":                    {func(c *domain.Check) { c.ID("f", "") }, []string{"f: not_an_id"}},
		"no optional id":           {func(c *domain.Check) { c.OptionalID("f", "") }, nil},
		"a wrong optional id":      {func(c *domain.Check) { c.OptionalID("f", "x") }, []string{"f: not_an_id"}},
		"a line":                   {func(c *domain.Check) { c.Line("f", "水漏れ", 3) }, nil},
		"a line too long":          {func(c *domain.Check) { c.Line("f", "水漏れ。", 3) }, []string{"f: too_long"}},
		"a blank line":             {func(c *domain.Check) { c.Line("f", " \t", 9) }, []string{"f: required"}},
		"two lines for one":        {func(c *domain.Check) { c.Line("f", "a\nb", 9) }, []string{"f: control_character"}},
		"broken text":              {func(c *domain.Check) { c.Line("f", "\xff", 9) }, []string{"f: not_utf8"}},
		"no optional line":         {func(c *domain.Check) { c.OptionalLine("f", "", 9) }, nil},
		"prose":                    {func(c *domain.Check) { c.Prose("f", "a\r\n\tb") }, nil},
		"prose with a NUL":         {func(c *domain.Check) { c.Prose("f", "a\x00b") }, []string{"f: control_character"}},
		"prose too long":           {func(c *domain.Check) { c.OptionalProse("f", strings.Repeat("a", 4001)) }, []string{"f: too_long"}},
		"no prose":                 {func(c *domain.Check) { c.Prose("f", "") }, []string{"f: required"}},
		"few enough":               {func(c *domain.Check) { c.Count("f", 3, 1, 3) }, nil},
		"too many":                 {func(c *domain.Check) { c.Count("f", 4, 1, 3) }, []string{"f: count"}},
		"too few":                  {func(c *domain.Check) { c.Count("f", 0, 1, 3) }, []string{"f: count"}},
		"a time":                   {func(c *domain.Check) { c.Time("f", domaintest.Noon) }, nil},
		"no time":                  {func(c *domain.Check) { c.Time("f", time.Time{}) }, []string{"f: not_a_time"}},
		"no optional time":         {func(c *domain.Check) { c.OptionalTime("f", time.Time{}) }, nil},
		"a time beyond RFC 3339":   {func(c *domain.Check) { c.OptionalTime("f", domaintest.Noon.AddDate(8000, 0, 0)) }, []string{"f: not_a_time"}},
		"a language":               {func(c *domain.Check) { c.Language("f", "ja") }, nil},
		"a language we do not":     {func(c *domain.Check) { c.Language("f", "tlh") }, []string{"f: not_one_of"}},
		"a date":                   {func(c *domain.Check) { c.Date("f", domain.Date{Year: 2024, Month: 2, Day: 29}) }, nil},
		"a day that there is not":  {func(c *domain.Check) { c.Date("f", domain.Date{Year: 2026, Month: 2, Day: 29}) }, []string{"f: not_a_date"}},
		"no date":                  {func(c *domain.Check) { c.Date("f", domain.Date{}) }, []string{"f: not_a_date"}},
		"an error from elsewhere":  {func(c *domain.Check) { c.Add("f", errors.New("oh")) }, []string{"f: invalid"}},
		"no error from elsewhere":  {func(c *domain.Check) { c.Add("f", nil) }, nil},
		"several faults, in order": {func(c *domain.Check) { c.ID("b", ""); c.ID("a", "") }, []string{"b: not_an_id", "a: not_an_id"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var check domain.Check
			test.check(&check)
			err := check.Err()
			if diff := cmp.Diff(test.want, domaintest.Faults(err)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			if (err == nil) != (test.want == nil) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestAFaultCarriesItsMessageInPieces(t *testing.T) {
	t.Parallel()
	var check domain.Check
	check.Line("title", "four", 3)
	want := &domain.Error{
		Kind: domain.Invalid, Code: "too_long", Field: "title",
		Message: "has 4 characters, at most 3 are allowed",
		Args:    map[string]string{"count": "4", "limit": "3"},
	}
	if diff := cmp.Diff(error(want), check.Err()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := check.Err().Error(); got != "title: has 4 characters, at most 3 are allowed" {
		t.Errorf("reads %q", got)
	}
}

func TestARefusalStaysItselfWithFieldAndDetails(t *testing.T) {
	t.Parallel()
	refusal := &domain.Error{Kind: domain.Conflict, Code: "expired", Message: "too late"}
	located := refusal.In("expiresAt").With(7)
	if !errors.Is(located, refusal) || located.Field != "expiresAt" || located.Details != 7 {
		t.Errorf("got %+v", located)
	}
	if refusal.Field != "" || refusal.Details != nil {
		t.Errorf("the original was changed: %+v", refusal)
	}
	if errors.Is(refusal, &domain.Error{Code: "other"}) {
		t.Error("refusals with different codes are the same")
	}
	if refusal.Problems() != nil {
		t.Errorf("a refusal without a field has problems: %v", refusal.Problems())
	}
}
