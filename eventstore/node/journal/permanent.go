package journal

import (
	"errors"
	"fmt"
	"strings"
)

// Permanent says that a stream keeps all of its events for ever: it is not
// deleted, and its metadata sets no limit.
type Permanent struct{ Stream string }

func (e *Permanent) Error() string {
	return fmt.Sprintf("stream %q is permanent: it is never deleted, and its metadata has no $maxCount, $maxAge or $tb", e.Stream)
}

// ErrCategory says that a name is no category of permanent streams.
var ErrCategory = errors.New("permanent category")

// permanent are the categories of permanent streams.
type permanent map[string]struct{}

func newPermanent(categories []string) (permanent, error) {
	p := permanent{}
	for _, c := range categories {
		if c == "" || strings.ContainsAny(c, "-$") {
			return nil, fmt.Errorf("%w %q: must be a name without a dash or a $", ErrCategory, c)
		}
		p[c] = struct{}{}
	}
	return p, nil
}

// has tells whether a stream is permanent. The category is what stands before the
// first dash.
func (p permanent) has(stream string) bool {
	category, _, dashed := strings.Cut(stream, "-")
	_, listed := p[category]
	return dashed && listed
}

// check refuses what would take events from a permanent stream.
func (p permanent) check(r *request) error {
	switch r.kind {
	case softDelete, tombstone:
		if p.has(r.stream) {
			return &Permanent{Stream: r.stream}
		}
	case appendEvents:
		described, isMeta := strings.CutPrefix(r.stream, metaPrefix)
		if !isMeta || !p.has(described) {
			return nil
		}
		for i := range r.events {
			if parsePolicy(r.events[i].Data) != (policy{}) {
				return &Permanent{Stream: described}
			}
		}
	case forget: // retention's, which leaves these streams out
	}
	return nil
}
