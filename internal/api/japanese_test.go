package api

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"portal.example/domain"
)

// Whatever the domain and the commands can refuse, they refuse in Japanese too.
func TestEveryRefusalSpeaksJapanese(t *testing.T) {
	t.Parallel()
	code := regexp.MustCompile(`(?:Code:\s*|\.Fail\([^,\n]+,\s*|newDetails\([^,\n]+,\s*|busy\([^,\n]+,\s*)"([a-z_0-9]+)"`)
	seen := map[string]bool{}
	for _, room := range []string{"../../domain", "../../commands", "../identity", "../api", "../../readapi"} {
		err := filepath.WalkDir(room, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path) //nolint:gosec // our own sources
			for _, match := range code.FindAllSubmatch(source, -1) {
				seen[string(match[1])] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) < 80 {
		t.Errorf("found only %d codes", len(seen))
	}
	for c := range seen {
		if japanese[c] == "" {
			t.Errorf("%s has no Japanese sentence", c)
		}
	}
}

func TestProblemsInTheCallersLanguage(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]bool{
		"": false, "ja": true, "ja-JP,en;q=0.5": true, "en-US,ja;q=0.5": false, "fr, ja;q=0.1": true, "*": false,
	} {
		if prefersJapanese(header) != want {
			t.Errorf("%q: Japanese %t", header, !want)
		}
	}
	var check domain.Check
	check.OptionalLine("name", "長すぎる名前", 3)
	check.Fail("other", "never_heard_of", "stays as it is")
	refusal, _ := check.Err().(*domain.Error) //nolint:errorlint // it is one
	d := ofRefusal(refusal).inJapanese()
	if d.Errors[0].Message != "6 文字あります。3 文字以内にしてください。" || d.Errors[1].Message != "stays as it is" {
		t.Errorf("said %+v", d.Errors)
	}
}
