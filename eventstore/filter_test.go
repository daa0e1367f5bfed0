package eventstore_test

import (
	"regexp"
	"testing"

	"portal.example/eventstore"
)

// What is known without an expression must be what the expression says.
func TestKnownExpressionsMeanWhatTheySay(t *testing.T) {
	t.Parallel()
	for _, expression := range []string{`^[^$]`, `^[^\$].*`, `^Quote`} {
		matches, err := eventstore.Expression(expression)
		if err != nil {
			t.Fatal(err)
		}
		pattern := regexp.MustCompile(expression)
		for _, name := range []string{"", "$", "$metadata", "QuoteSent", "Q$", "\n", "é", " $x", "\xff"} {
			if got, want := matches([]byte(name)), pattern.MatchString(name); got != want {
				t.Errorf("%s on %q: %v", expression, name, got)
			}
		}
	}
	if _, err := eventstore.Expression(`(`); err == nil {
		t.Error("( is taken for an expression")
	}
}
