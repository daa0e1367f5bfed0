package group

import "container/list"

// Mark is a place in what a group works through, with how many things stand up
// to there. The zero Mark is before everything.
type Mark struct {
	Place uint64
	Count uint64
	Known bool // that there is a place
}

// ledger knows up to where everything is done, although things are done in any
// order.
type ledger struct {
	end  Mark      // everything up to here has been entered
	open list.List // of the marks just before what is not done, in order
}

// entry is one thing in a ledger that is not done.
type entry = *list.Element

// enter adds a thing that is to be done.
func (l *ledger) enter(place uint64) entry {
	e := l.open.PushBack(l.end)
	l.pass(place)
	return e
}

// pass adds a thing with which there is nothing to do.
func (l *ledger) pass(place uint64) {
	l.end = Mark{Place: place, Count: l.end.Count + 1, Known: true}
}

func (l *ledger) finish(e entry) { l.open.Remove(e) }

// done is the last place up to which everything is done.
func (l *ledger) done() Mark {
	if first := l.open.Front(); first != nil {
		return first.Value.(Mark)
	}
	return l.end
}
