package compare

// minimize returns a part of the places that still does what is asked, and of
// which none can be left out: delta debugging, ddmin (Zeller and Hildebrandt,
// "Simplifying and isolating failure-inducing input", 2002). All of the places
// do it.
func minimize(places []int, does func([]int) (bool, error)) ([]int, error) {
	parts := 2
	for len(places) > 1 {
		smaller, complement, err := reduce(places, parts, does)
		switch {
		case err != nil:
			return nil, err
		case smaller != nil && complement:
			places, parts = smaller, max(parts-1, 2)
		case smaller != nil:
			places, parts = smaller, 2
		case parts >= len(places):
			return places, nil
		default:
			parts = min(2*parts, len(places))
		}
	}
	return places, nil
}

// reduce looks for one of the parts that does it alone, or else for one that is
// not needed.
func reduce(places []int, parts int, does func([]int) (bool, error)) (smaller []int, complement bool, err error) {
	parts = min(parts, len(places))
	bound := func(i int) int { return i * len(places) / parts }
	for i := range parts {
		part := places[bound(i):bound(i+1)]
		if ok, err := does(part); ok || err != nil {
			return part, false, err
		}
	}
	for i := range parts {
		rest := append(places[:bound(i):bound(i)], places[bound(i+1):]...)
		if len(rest) == 0 {
			continue
		}
		if ok, err := does(rest); ok || err != nil {
			return rest, true, err
		}
	}
	return nil, false, nil
}
