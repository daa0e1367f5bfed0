package compare

// Explanation is which events are behind a difference.
type Explanation struct {
	Explained bool `json:"explained"`

	// Stored is the side, old or new, whose row was taken as it is stored, because
	// its code is not there or does not make it. Otherwise both were folded again.
	Stored string `json:"stored,omitempty"`

	// Events are those without which there is no difference: the two versions,
	// folding all events but these, come to the same row. Where one side is taken
	// as it is stored, the other comes to that.
	Events []Event `json:"events,omitempty"`
	Each   bool    `json:"each,omitempty"` // it takes one of them away, whichever; otherwise all
	Gone   bool    `json:"gone,omitempty"` // the row begins with them: without them there is none, or what follows cannot be applied

	// Why not, where it is not explained.
	Why string `json:"why,omitempty"`
	// Makers are then the events that make, in the version whose code there is,
	// what differs.
	Makers []Event `json:"makers,omitempty"`

	Scope      string `json:"scope"`      // where events were looked for, see the constants
	Candidates int    `json:"candidates"` // events that were looked at
	Folds      int    `json:"folds"`      // how often they were folded
}

// The scopes in which the events behind a row are looked for, one after the
// other, until folding them makes the row.
const (
	ScopeStream   = "stream"   // that the row was last changed by
	ScopeRecords  = "records"  // the streams of the ids in the row, too
	ScopeBusiness = "business" // all of the business
)

// Limits bound the work on one row.
type Limits struct {
	Events int // that are looked at; 5000 by default
	Folds  int // 600 by default
	Scan   int // events of the log that are read to find those of a business; a million by default
}

func (l Limits) orDefault() Limits {
	fallback := func(n *int, value int) {
		if *n <= 0 {
			*n = value
		}
	}
	fallback(&l.Events, 5_000)
	fallback(&l.Folds, 600)
	fallback(&l.Scan, 1_000_000)
	return l
}
