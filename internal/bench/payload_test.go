package main

import (
	"encoding/json"
	"testing"
)

func TestPayloadsHaveTheStatedSize(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, p := range makePayloads(50) {
		if len(p.Data) != dataBytes || len(p.Metadata) != metadataBytes {
			t.Errorf("%d bytes of data and %d of metadata", len(p.Data), len(p.Metadata))
		}
		if !json.Valid(p.Data) || !json.Valid(p.Metadata) {
			t.Errorf("no JSON: %s %s", p.Data, p.Metadata)
		}
		seen[string(p.Data)] = true
	}
	if len(seen) != 50 {
		t.Errorf("%d different bodies of 50", len(seen))
	}
}
