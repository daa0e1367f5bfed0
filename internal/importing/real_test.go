package importing_test

import (
	"testing"
	"time"

	"portal.example/internal/importing"
)

func TestTheRealFines(t *testing.T) {
	file := realFile(t, "fines.csv.gz", importing.Fines)
	l := newLab(t)
	s := time.Now()
	first, err := l.run(t, t.Context(), file, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v %v", first.Summary, first.Events)
	t.Log(time.Since(s))
	s = time.Now()
	second, err := l.run(t, t.Context(), file, nil)
	t.Logf("%+v %v %v", second.Summary, second.Events, err)
	t.Log(time.Since(s))
	for _, r := range first.Refusals {
		t.Log(r)
	}
}
