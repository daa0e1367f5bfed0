package eventstore

// scanMetadata reads metadata in the very form in which Encode writes it,
// leaving what is personal sealed. It reports false for every other form, valid
// or not, and encoding/json is the judge then.
//
// It is here because every event of every replay passes it: with encoding/json
// alone, the envelope costs several times as much as a plain event's own data
// (BenchmarkDecode). That the two agree is fuzzed.
func scanMetadata(data []byte) (m Metadata, ok bool) {
	s := scanner{rest: data}
	ok = s.object(func(name []byte) bool {
		switch string(name) {
		case "$correlationId":
			return s.into(m.CorrelationID.UnmarshalText)
		case "$causationId":
			return s.into(m.CausationID.UnmarshalText)
		case "commandId":
			return s.into(m.CommandID.UnmarshalText)
		case "fingerprint":
			return s.into(m.Fingerprint.UnmarshalText)
		case "business":
			return s.string(&m.Business)
		case "operation":
			return s.string(&m.Operation)
		case "actor":
			return s.actor(&m.Actor)
		case "session":
			return s.session(&m.Session)
		case "ip", "userAgent":
			return s.skipSealed()
		case "schema":
			return s.number(&m.Schema)
		case "origin":
			return s.string((*string)(&m.Origin))
		case "recordedAt":
			return s.into(m.RecordedAt.UnmarshalText)
		case "occurredAt":
			return s.into(m.OccurredAt.UnmarshalText)
		default:
			return false
		}
	})
	if !ok || len(s.rest) > 0 {
		return Metadata{}, false
	}
	return m, true
}

func (s *scanner) actor(a *Actor) bool {
	return s.object(func(name []byte) bool {
		switch string(name) {
		case "kind":
			return s.string((*string)(&a.Kind))
		case "id":
			return s.string(&a.ID)
		case "actingFor":
			return s.string(&a.ActingFor)
		default:
			return false
		}
	})
}

func (s *scanner) session(to *Session) bool {
	return s.object(func(name []byte) bool {
		switch string(name) {
		case "id":
			return s.string(&to.ID)
		case "method":
			return s.string(&to.Method)
		case "at":
			return s.into(to.At.UnmarshalText)
		case "channel":
			return s.string(&to.Channel)
		case "address":
			return s.skipSealed()
		default:
			return false
		}
	})
}
