package eventstore

import (
	"encoding/json"
	"time"
)

// BusinessOf is the business that metadata names, empty where it names none. It
// is for those who choose events of one business before they decode them.
func BusinessOf(metadata []byte) string {
	var m Metadata
	if m.scan(metadata, nil) {
		return m.Business
	}
	var only struct {
		Business string `json:"business"`
	}
	if json.Unmarshal(metadata, &only) != nil {
		return ""
	}
	return only.Business
}

// OccurredAt is when what the event says happened, by its metadata, or else when
// the log took it. It is for those who choose events before they decode them.
func OccurredAt(e *Recorded) time.Time {
	var m Metadata
	if !m.scan(e.Metadata, nil) {
		var times struct {
			RecordedAt time.Time `json:"recordedAt"`
			OccurredAt time.Time `json:"occurredAt"`
		}
		if json.Unmarshal(e.Metadata, &times) != nil {
			return e.Created
		}
		m.RecordedAt, m.OccurredAt = times.RecordedAt, times.OccurredAt
	}
	switch {
	case !m.OccurredAt.IsZero():
		return m.OccurredAt
	case !m.RecordedAt.IsZero():
		return m.RecordedAt
	default:
		return e.Created
	}
}
