package eventstore

import "encoding/json"

// BusinessOf is the business that metadata names, empty where it names none. It
// is for those who choose events of one business before they decode them.
func BusinessOf(metadata []byte) string {
	if m, usual := scanMetadata(metadata); usual {
		return m.Business
	}
	var m struct {
		Business string `json:"business"`
	}
	if json.Unmarshal(metadata, &m) != nil {
		return ""
	}
	return m.Business
}
