package domain_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portal.example/domain"
	"portal.example/domain/domaintest"
)

func TestARepeatWithinTenMinutesIsTheSameView(t *testing.T) {
	t.Parallel()
	first := domaintest.Noon
	views := domain.Views{}.With(domain.RecentView{Session: "s1", Version: 1, At: first})
	tests := map[string]struct {
		view domain.RecentView
		want bool
	}{
		"at once":                 {domain.RecentView{Session: "s1", Version: 1, At: first}, true},
		"ten minutes later":       {domain.RecentView{Session: "s1", Version: 1, At: first.Add(10 * time.Minute)}, true},
		"a moment after that":     {domain.RecentView{Session: "s1", Version: 1, At: first.Add(10*time.Minute + 1)}, false},
		"by a clock that is slow": {domain.RecentView{Session: "s1", Version: 1, At: first.Add(-time.Second)}, true},
		"in another session":      {domain.RecentView{Session: "s2", Version: 1, At: first}, false},
		"of another version":      {domain.RecentView{Session: "s1", Version: 2, At: first}, false},
		"through other eyes":      {domain.RecentView{Session: "s1", ActingFor: "dana", Version: 1, At: first}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := views.Cover(test.view); got != test.want {
				t.Errorf("same view: %t, want %t", got, test.want)
			}
		})
	}
}

func TestViewsForgetWhatNoRepeatCanBelongTo(t *testing.T) {
	t.Parallel()
	at := domaintest.Noon
	view := func(session string, minutes time.Duration) domain.RecentView {
		return domain.RecentView{Session: session, Version: 1, At: at.Add(minutes * time.Minute)}
	}
	old := domain.Views{}.With(view("s1", 0)).With(view("s2", 5))
	got := old.With(view("s3", 11))
	want := domain.Views{view("s2", 5), view("s3", 11)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(old) != 2 {
		t.Errorf("the views before were changed: %v", old)
	}
}

// The digest was computed apart: printf '%s' '00…0f{"a":1}' | sha256sum.
func TestHash(t *testing.T) {
	t.Parallel()
	got, err := domain.Hash("000102030405060708090a0b0c0d0e0f", map[string]int{"a": 1})
	const want = "e0e93c5300edbecf202b2f8d75134fec77aca70b36a29f54a116cf982d0e9837"
	if err != nil || got != want {
		t.Errorf("error %v: hash %s, want %s", err, got, want)
	}
	if _, err := domain.Hash(domaintest.Salt, 1.5); err == nil {
		t.Error("a float was hashed")
	}
}

func TestVisitIsChecked(t *testing.T) {
	t.Parallel()
	var check domain.Check
	domaintest.Visit(domaintest.Dana, domaintest.Noon).Check(&check)
	if err := check.Err(); err != nil {
		t.Errorf("a proper visit: %v", err)
	}
	domain.Visit{Salt: "0123"}.Check(&check)
	want := []string{"actor: required", "session: required", "language: not_one_of", "salt: not_a_salt", "at: not_a_time"}
	if diff := cmp.Diff(want, domaintest.Faults(check.Err())); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}
