package storetest

import (
	"fmt"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
)

// A link is an event of type $> whose data are "revision@stream". A reader who
// asks for it gets the event that it points to, and the link beside it.
func linkTests() []test {
	return []test{
		{"a link read as it is", linkAsIs},
		{"a link resolved on a stream", linkOnStream},
		{"a link resolved backwards", linkBackwards},
		{"a link resolved on $all", linkOnAll},
		{"a link that leads nowhere comes without an event", linkToNowhere},
		{"a link to a hidden event comes without it", linkToHidden},
		{"an ordinary event is not changed by resolving", resolveOrdinary},
		{"links are resolved in subscriptions, before and after going live", linkInSubscription},
	}
}

func linkTo(revision int, stream string) esdb.EventData {
	return esdb.EventData{EventID: uuid.New(), EventType: "$>", Data: fmt.Appendf(nil, "%d@%s", revision, stream)}
}

var resolving = esdb.ReadStreamOptions{ResolveLinkTos: true}

func linkAsIs(h *harness) {
	target, _ := h.existing(2)
	links := h.stream()
	link := linkTo(1, target)
	h.append(links, esdb.NoStream{}, link)
	got := h.read(links)[0]
	if got.Link != nil || got.Event.EventType != "$>" || string(got.Event.Data) != "1@"+target || got.Event.EventID != link.EventID {
		h.Fatalf("%+v with link %v", got.Event, got.Link)
	}
}

func (h *harness) wantLink(got *esdb.ResolvedEvent, target esdb.EventData, link esdb.EventData) {
	h.Helper()
	if got.Event == nil || got.Link == nil {
		h.Fatalf("event %v, link %v; want both", got.Event, got.Link)
	}
	if got.Event.EventID != target.EventID || string(got.Event.Data) != string(target.Data) {
		h.Errorf("event %s %s, want %s %s", got.Event.EventID, got.Event.Data, target.EventID, target.Data)
	}
	if got.Link.EventID != link.EventID || got.OriginalEvent() != got.Link {
		h.Errorf("link %s, want %s", got.Link.EventID, link.EventID)
	}
}

func linkOnStream(h *harness) {
	target, proposed := h.existing(3)
	links := h.stream()
	made := []esdb.EventData{linkTo(2, target), linkTo(0, target)}
	h.append(links, esdb.NoStream{}, made...)
	read := h.readWith(links, resolving, everything)
	h.wantRevisions(read, 0, 1)
	h.wantLink(read[0], proposed[2], made[0])
	h.wantLink(read[1], proposed[0], made[1])
	if got := read[0].Event; got.StreamID != target || got.EventNumber != 2 {
		h.Errorf("the event is %d of %s", got.EventNumber, got.StreamID)
	}
}

func linkBackwards(h *harness) {
	target, proposed := h.existing(2)
	links := h.stream()
	made := []esdb.EventData{linkTo(0, target), linkTo(1, target)}
	h.append(links, esdb.NoStream{}, made...)
	read := h.readWith(links, esdb.ReadStreamOptions{Direction: esdb.Backwards, From: esdb.End{}, ResolveLinkTos: true}, everything)
	h.wantRevisions(read, 1, 0)
	h.wantLink(read[0], proposed[1], made[1])
	h.wantLink(read[1], proposed[0], made[0])
}

func linkOnAll(h *harness) {
	target, proposed := h.existing(1)
	link := linkTo(0, target)
	at := positionOf(h.append(h.stream(), esdb.NoStream{}, link))
	read := h.readAll(esdb.ReadAllOptions{From: at, ResolveLinkTos: true}, 1)
	h.wantLink(read[0], proposed[0], link)
	h.wantPosition("the link", read[0].Link.Position, at)
	if read[0].Commit == nil || *read[0].Commit != at.Commit {
		h.Errorf("commit %v, want the link's %d", read[0].Commit, at.Commit)
	}
}

func linkToNowhere(h *harness) {
	target, _ := h.existing(1)
	tombstoned, _ := h.existing(1)
	h.tombstone(tombstoned, esdb.Any{})
	links := h.stream()
	h.append(links, esdb.NoStream{}, linkTo(9, target), linkTo(0, h.stream()), linkTo(0, tombstoned))
	read := h.readWith(links, resolving, everything)
	h.wantRevisions(read, 0, 1, 2)
	for i, e := range read {
		if e.Link == nil || e.Event != nil {
			h.Errorf("link %d: event %v, link %v; want the link alone", i, e.Event, e.Link)
		}
	}
}

func linkToHidden(h *harness) {
	target, proposed := h.existing(2)
	h.setMetadata(target, `{"$maxCount":1}`)
	links := h.stream()
	made := []esdb.EventData{linkTo(0, target), linkTo(1, target)}
	h.append(links, esdb.NoStream{}, made...)
	read := h.readWith(links, resolving, everything)
	h.wantRevisions(read, 0, 1)
	if read[0].Event != nil || read[0].Link == nil {
		h.Errorf("event %v, link %v; want the link alone", read[0].Event, read[0].Link)
	}
	h.wantLink(read[1], proposed[1], made[1])
}

func resolveOrdinary(h *harness) {
	stream, proposed := h.existing(3)
	read := h.readWith(stream, resolving, everything)
	h.wantEvents(read, proposed)
	for _, e := range read {
		if e.Link != nil {
			h.Errorf("a link %v", e.Link)
		}
	}
}

func linkInSubscription(h *harness) {
	target, proposed := h.existing(2)
	links := h.stream()
	early, late := linkTo(0, target), linkTo(1, target)
	h.append(links, esdb.NoStream{}, early)
	sub := h.subscribe(links, esdb.SubscribeToStreamOptions{From: esdb.Start{}, ResolveLinkTos: true})
	h.wantLink(sub.next(), proposed[0], early)
	sub.untilCaughtUp()
	h.append(links, esdb.Revision(0), late)
	h.wantLink(sub.next(), proposed[1], late)
}
