package claim_test

import (
	"testing"

	"portal.example/domain/claim"
	"portal.example/domain/domaintest"
)

type decision = domaintest.Case[claim.State, claim.Event]

func TestTake(t *testing.T) {
	t.Parallel()
	taken := claim.Taken{Kind: claim.Slug, Owner: domaintest.ID(1), At: domaintest.Noon}
	domaintest.Run(t, []decision{
		{
			Name: "a free name",
			When: claim.Take{Kind: claim.Slug, Owner: domaintest.ID(1), At: domaintest.Noon},
			Then: []claim.Event{taken},
		},
		{
			Name:  "one's own name",
			Given: []claim.Event{taken},
			When:  claim.Take{Kind: claim.Slug, Owner: domaintest.ID(1), At: domaintest.Noon},
		},
		{
			Name:    "somebody else's name",
			Given:   []claim.Event{taken},
			When:    claim.Take{Kind: claim.Slug, Owner: domaintest.ID(2), At: domaintest.Noon},
			Refused: claim.ErrTaken,
		},
		{
			Name:   "for nobody",
			When:   claim.Take{Kind: claim.Slug, At: domaintest.Noon},
			Faults: []string{"owner: not_an_id"},
		},
	})
}

func TestStreamsOfNames(t *testing.T) {
	t.Parallel()
	streams := map[string]string{}
	for _, name := range []struct {
		kind claim.Kind
		name string
	}{{claim.Slug, "acme"}, {claim.Slug, "acm"}, {"slu", "gacme"}, {"login", "acme"}} {
		stream := claim.Stream(name.kind, name.name)
		if other, taken := streams[stream]; taken {
			t.Errorf("%v and %s share %s", name, other, stream)
		}
		streams[stream] = name.name
	}
	// Names that exist in logs must go on being found.
	if got := claim.Stream(claim.Slug, "acme"); got != "claim-87ac25834b0e363b83045c1df8ff12d1" {
		t.Errorf("the stream of a slug became %s", got)
	}
}

func TestStored(t *testing.T) {
	domaintest.Stored(t, claim.Types, []claim.Event{
		claim.Taken{Kind: claim.Slug, Owner: domaintest.ID(1), At: domaintest.Noon},
	})
}
