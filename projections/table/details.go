package table

import (
	"encoding/json"
	"fmt"
)

// Details is the part of a row that no query looks into: kept as JSON, and read
// and written only where an event changes it.
type Details[D any] struct {
	JSON   string `db:"details" pg:"jsonb"`
	opened *D
}

// Open is the document to be changed in place. It is written down by Close.
func (d *Details[D]) Open() (*D, error) {
	if d.opened == nil {
		d.opened = new(D)
		if d.JSON == "" {
			return d.opened, nil
		}
		if err := json.Unmarshal([]byte(d.JSON), d.opened); err != nil {
			return nil, fmt.Errorf("details of a row: %w", err)
		}
	}
	return d.opened, nil
}

// Close brings the JSON up to what was changed.
func (d *Details[D]) Close() error {
	if d.opened == nil {
		return nil
	}
	document, err := json.Marshal(d.opened)
	if err != nil {
		return fmt.Errorf("details of a row: %w", err)
	}
	d.JSON, d.opened = string(document), nil
	return nil
}
