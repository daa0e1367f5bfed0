package compare

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// What is left still does what is asked, and nothing can be left out of it.
func TestMinimize(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(t, "places")
		all := make([]int, n)
		for i := range all {
			all[i] = i
		}
		// It takes all of one group, or all of another.
		groups := rapid.SliceOfN(rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 1, min(n, 6), rapid.ID), 1, 3).Draw(t, "groups")
		calls := 0
		does := func(places []int) (bool, error) {
			calls++
			return slices.ContainsFunc(groups, func(group []int) bool {
				return !slices.ContainsFunc(group, func(i int) bool { return !slices.Contains(places, i) })
			}), nil
		}
		least, err := minimize(all, does)
		if err != nil {
			t.Fatal(err)
		}
		if ok, _ := does(least); !ok {
			t.Fatalf("%v does not do", least)
		}
		for i := range least {
			if ok, _ := does(slices.Delete(slices.Clone(least), i, i+1)); ok {
				t.Fatalf("%v can be left out of %v", least[i], least)
			}
		}
		if calls > 8*n*n+64 {
			t.Errorf("%d calls for %d places", calls, n)
		}
	})
}
