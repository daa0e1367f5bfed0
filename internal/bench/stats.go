package main

import (
	"cmp"
	"math"
	"slices"
)

// percentile is the smallest value that at least p per cent of the values do
// not exceed (the nearest-rank method): a latency that really occurred, never
// one made up between two. The values must be sorted and at least one.
func percentile[T cmp.Ordered](sorted []T, p float64) T {
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

// median is the middle value, or the mean of the two in the middle. There must
// be at least one value.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
