package journal

import "strconv"

// Expected is the revision that a writer demands, or one of the negative
// numbers that EventStoreDB uses for weaker demands.
type Expected int64

// The demands that are no revision.
const (
	NoStream     Expected = -1
	Any          Expected = -2
	StreamExists Expected = -4
)

func (e Expected) String() string {
	switch e {
	case NoStream:
		return "no stream"
	case Any:
		return "any revision"
	case StreamExists:
		return "an existing stream"
	default:
		return strconv.FormatInt(int64(e), 10)
	}
}

// verdict is what an append's demand comes to.
type verdict uint8

const (
	accepted verdict = iota
	repeated         // every event is there already: give the first answer again
	wrong
	deleted
)

// written tells where an event stands in a stream, if it does.
type written struct {
	revision uint64
	position uint64
}

// history answers what a demand needs to know of the past.
type history interface {
	// at tells whether the stream's event of that revision has this id.
	at(h *head, revision uint64, id [16]byte) (written, bool, error)
	// recent looks an id up among the events written lately to the stream.
	recent(h *head, id [16]byte) (written, bool)
}

// judge decides an append of events to the stream whose head is h. For a
// repeat it tells the last event's place.
//
// A demand below the current revision is a repeat where every id matches at
// successive revisions, and wrong otherwise. Any and StreamExists have no
// revision to start from: they are repeats where the recent ids say so.
func judge(h *head, expected Expected, events []Event, past history) (verdict, written, error) {
	switch {
	case h.tombstoned():
		return deleted, written{}, nil
	case expected == StreamExists && h.softDeleted():
		return deleted, written{}, nil
	case expected == StreamExists && h.last < 0 && !h.described:
		return wrong, written{}, nil
	case expected == Any || expected == StreamExists:
		v, at := judgeRecent(h, events, past)
		return v, at, nil
	case int64(expected) > h.last:
		return wrong, written{}, nil
	case int64(expected) == h.last, expected == NoStream && h.softDeleted() && len(events) == 0:
		return accepted, written{}, nil
	case len(events) == 0: // nothing by which a repeat could be told
		return wrong, written{}, nil
	}
	var place written
	for i := range events {
		revision := uint64(int64(expected) + 1 + int64(i))
		at, same, err := past.at(h, revision, events[i].ID)
		if err != nil {
			return 0, written{}, err
		}
		if same {
			place = at
			continue
		}
		if i == 0 && expected == NoStream && h.softDeleted() {
			return accepted, written{}, nil // revival
		}
		return wrong, written{}, nil
	}
	return repeated, place, nil
}

func judgeRecent(h *head, events []Event, past history) (verdict, written) {
	var place written
	for i := range events {
		at, known := past.recent(h, events[i].ID)
		switch {
		case !known && i == 0:
			return accepted, written{}
		case !known, i > 0 && at.revision != place.revision+1:
			return wrong, written{} // some of it is there: neither new nor a repeat
		}
		place = at
	}
	if len(events) == 0 {
		return accepted, written{}
	}
	return repeated, place
}
