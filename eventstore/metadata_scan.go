package eventstore

// scan reads metadata in the very form in which Encode writes it, leaving what is
// personal sealed. It reports false for every other form, valid or not, and
// encoding/json is the judge then.
//
// It is here because every event of every replay passes it: with encoding/json
// alone, the envelope costs several times as much as a plain event's own data
// (BenchmarkDecode). That the two agree is fuzzed.
func (m *Metadata) scan(data []byte, names names) bool {
	s := scanner{rest: data, names: names}
	*m = Metadata{}
	ok := s.take(`{"$correlationId":`) && s.uuid(&m.CorrelationID) &&
		s.take(`,"$causationId":`) && s.uuid(&m.CausationID) &&
		s.take(`,"commandId":`) && s.uuid(&m.CommandID) &&
		s.take(`,"fingerprint":`) && s.into(m.Fingerprint.UnmarshalText) &&
		s.take(`,"business":`) && s.name(&m.Business) &&
		s.take(`,"operation":`) && s.name(&m.Operation) &&
		s.take(`,"actor":`) && s.actor(&m.Actor)
	if ok && s.take(`,"session":`) {
		ok = s.session(&m.Session)
	}
	if ok && s.take(`,"ip":`) {
		ok = s.skipSealed()
	}
	if ok && s.take(`,"userAgent":`) {
		ok = s.skipSealed()
	}
	ok = ok && s.take(`,"schema":`) && s.number(&m.Schema) &&
		s.take(`,"origin":`) && s.name((*string)(&m.Origin)) &&
		s.take(`,"recordedAt":`) && s.into(m.RecordedAt.UnmarshalText)
	if ok && s.take(`,"occurredAt":`) {
		ok = s.into(m.OccurredAt.UnmarshalText)
	}
	return ok && s.take(`}`) && len(s.rest) == 0
}

func (s *scanner) actor(a *Actor) bool {
	ok := s.take(`{"kind":`) && s.name((*string)(&a.Kind))
	if ok && s.take(`,"id":`) {
		ok = s.string(&a.ID)
	}
	if ok && s.take(`,"actingFor":`) {
		ok = s.string(&a.ActingFor)
	}
	return ok && s.take(`}`)
}

func (s *scanner) session(to *Session) bool {
	ok := s.take(`{"id":`) && s.string(&to.ID) &&
		s.take(`,"method":`) && s.name(&to.Method) &&
		s.take(`,"at":`) && s.into(to.At.UnmarshalText)
	if ok && s.take(`,"channel":`) {
		ok = s.name(&to.Channel)
	}
	if ok && s.take(`,"address":`) {
		ok = s.skipSealed()
	}
	return ok && s.take(`}`)
}
