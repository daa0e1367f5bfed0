package compare

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"portal.example/eventstore"
)

// errTooLong ends a search that has folded often enough.
var errTooLong = errors.New("compare: too many folds")

// question is a difference to explain. Where the old version's code is not
// there, its row stays as it is stored.
type question struct {
	target
	was, is   Row // as stored, and as a fold has to make them
	old, new  *Scratch
	texts     []string // columns that may be personal
	limits    Limits
	forgotten int // columns that are not looked at because somebody was erased
}

// answer is what both versions make of a history.
type answer struct {
	was, is Row
	held    int // streams of which not all could be applied
}

// search is the work on a question.
type search struct {
	question
	history History
	folds   int

	whole   answer
	held    map[string]error
	without []answer // each event
}

func (s *search) fold(ctx context.Context, h History) (answer, error) {
	if s.folds >= s.limits.Folds {
		return answer{}, errTooLong
	}
	s.folds++
	a := answer{was: s.was, is: s.is}
	fold := func(scratch *Scratch, into *Row) (err error) {
		var held map[string]error
		*into, held, err = scratch.row(ctx, h, s.target)
		a.held += len(held)
		if s.held == nil {
			s.held = held // of the first, whole fold
		}
		return err
	}
	if s.old != nil {
		if err := fold(s.old, &a.was); err != nil {
			return a, err
		}
	}
	switch s.new {
	case nil:
		return a, nil
	case s.old: // the same code on both sides
		a.is = a.was
		return a, nil
	default:
		return a, fold(s.new, &a.is)
	}
}

// reproduce folds the whole history and says of which versions it does not make
// the row as it is stored. Columns that the difference is not about are let be
// where a person was erased after the row was made.
func (s *search) reproduce(ctx context.Context) (oldWrong, newWrong bool, err error) {
	if s.whole, err = s.fold(ctx, s.history); err != nil {
		return false, false, err
	}
	var kept []string
	for _, c := range s.columns {
		oldDiffers := s.old != nil && !sameRow(s.whole.was, s.was, []string{c})
		newDiffers := s.new != nil && !sameRow(s.whole.is, s.is, []string{c})
		if (oldDiffers || newDiffers) && s.forgiven(c) {
			continue
		}
		kept = append(kept, c)
		oldWrong, newWrong = oldWrong || oldDiffers, newWrong || newDiffers
	}
	if !oldWrong && !newWrong {
		s.forgotten = len(s.columns) - len(kept)
		s.columns = kept
	}
	return oldWrong, newWrong, nil
}

// forgiven says whether the column may hold what an erased person said.
func (s *search) forgiven(name string) bool {
	return slices.Contains(s.texts, name) && (s.was == nil || s.is == nil || same(s.was[name], s.is[name])) &&
		slices.ContainsFunc(s.history.Events, func(d eventstore.Decoded) bool { return len(d.Erased) > 0 })
}

// vanished says whether there is no difference, and whether that is because
// there is no row any more, or because what follows cannot be applied.
func (s *search) vanished(a answer) (vanished, gone bool) {
	gone = a.was == nil && a.is == nil && s.was != nil && s.is != nil
	return sameRow(a.was, a.is, s.columns), gone || a.held > s.whole.held
}

func (s *search) vanishesWithout(ctx context.Context, places []int) (bool, error) {
	a, err := s.fold(ctx, s.history.Without(places...))
	vanished, gone := s.vanished(a)
	return vanished && !gone, err
}

// explain looks for events without which there is no difference: a single one,
// then all of a type, then any; and as few as that takes. Those without which
// there is no row explain only a difference that lies in how it begins.
func (s *search) explain(ctx context.Context) (Explanation, error) {
	x := Explanation{Candidates: len(s.history.Events)}
	switch {
	case s.old == nil:
		x.Stored = "old"
	case s.new == nil:
		x.Stored = "new"
	}
	singles, makers, err := s.singles(ctx)
	if err == nil && len(singles) > 0 {
		x.Explained, x.Each = true, len(singles) > 1
		x.Events = s.named(singles)
		x.Folds = s.folds
		return x, nil
	}
	var group []int
	if err == nil {
		group, err = s.group(ctx, makers)
	}
	x.Folds = s.folds
	switch {
	case errors.Is(err, errTooLong):
		x.Why = fmt.Sprintf("not found within %d folds of %d events", s.folds, len(s.history.Events))
	case err != nil:
		return x, err
	case len(group) > 0:
		x.Explained, x.Events = true, s.named(group)
	case len(makers) > 0:
		x.Explained, x.Gone, x.Each, x.Events = true, true, len(makers) > 1, s.named(makers)
	default:
		x.Why = "no events were found without which there is no difference"
		if s.old == nil || s.new == nil {
			x.Why += "; the program does not have the code of one of the versions, so that only the other one's row could be folded again"
		}
	}
	if !x.Explained {
		x.Makers = s.influences(func(a answer) Row {
			if s.new == nil {
				return a.was
			}
			return a.is
		}, s.differing())
	}
	return x, nil
}

// leaveOut folds the history without each of its events by itself.
func (s *search) leaveOut(ctx context.Context) error {
	for i := range s.history.Events {
		a, err := s.fold(ctx, s.history.Without(i))
		if err != nil {
			return err
		}
		s.without = append(s.without, a)
	}
	return nil
}

// singles are the events each of which explains the difference, and those that
// the row begins with. Where there are too many events they are not tried.
func (s *search) singles(ctx context.Context) (explain, makers []int, err error) {
	if len(s.history.Events) > s.limits.Folds/2 {
		return nil, nil, nil
	}
	if err := s.leaveOut(ctx); err != nil {
		return nil, nil, err
	}
	for i, a := range s.without {
		switch vanished, gone := s.vanished(a); {
		case vanished && gone:
			makers = append(makers, i)
		case vanished:
			explain = append(explain, i)
		}
	}
	return explain, makers, nil
}

// group finds several events that have to go together.
func (s *search) group(ctx context.Context, makers []int) ([]int, error) {
	var rest []int
	byType := map[string][]int{}
	var types []string
	for i := range s.history.Events {
		if slices.Contains(makers, i) {
			continue
		}
		rest = append(rest, i)
		name := s.history.Events[i].Record.Type
		if byType[name] == nil {
			types = append(types, name)
		}
		byType[name] = append(byType[name], i)
	}
	does := func(places []int) (bool, error) { return s.vanishesWithout(ctx, places) }
	var best []int
	for _, name := range types {
		places := byType[name]
		if len(places) < 2 && s.without != nil {
			continue // it was tried by itself
		}
		ok, err := does(places)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if places, err = minimize(places, does); err != nil {
			return nil, err
		}
		if best == nil || len(places) < len(best) {
			best = places
		}
	}
	if best != nil || len(rest) == 0 {
		return best, nil
	}
	if ok, err := does(rest); err != nil || !ok {
		return nil, err
	}
	return minimize(rest, does)
}

func (s *search) named(places []int) []Event {
	events := make([]Event, len(places))
	for i, place := range places {
		events[i] = eventOf(&s.history.Events[place])
	}
	return events
}

// differing are the columns in which the stored rows differ.
func (s *search) differing() []string {
	if s.was == nil || s.is == nil {
		return s.columns
	}
	var list []string
	for _, c := range s.columns {
		if !same(s.was[c], s.is[c]) {
			list = append(list, c)
		}
	}
	return list
}

// influences are the events without which one version's row has something else
// in these columns, each with those in which it has.
func (s *search) influences(side func(answer) Row, columns []string) []Event {
	var events []Event
	row := side(s.whole)
	for i, a := range s.without {
		e, left := eventOf(&s.history.Events[i]), side(a)
		switch {
		case left == nil && row != nil:
			e.Makes = true
		case left != nil && row != nil:
			for _, c := range columns {
				if !same(row[c], left[c]) {
					e.Columns = append(e.Columns, c)
				}
			}
		}
		if e.Makes || len(e.Columns) > 0 {
			events = append(events, e)
		}
	}
	return events
}
