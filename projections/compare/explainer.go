package compare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"portal.example/eventstore"
	"portal.example/projections/runner"
)

// Explainer says why the rows of a report differ.
type Explainer struct {
	Pool   *pgxpool.Pool
	Log    Log
	Codec  *eventstore.Codec
	Limits Limits
	// Disclosed and Personal are as in Options. Beyond them, a text is shown that
	// folding the events without their personal fields comes to as well.
	Disclosed Disclosed
	Personal  bool
}

// Explain adds an explanation to each example of the report. The projection of
// either version may be nil, where the program does not have its code any more;
// that version's row is then taken as it is stored.
func (x *Explainer) Explain(ctx context.Context, r *Report, older, newer runner.Projection) (err error) {
	var old, new *Scratch
	for _, side := range []struct {
		projection runner.Projection
		into       **Scratch
	}{{older, &old}, {newer, &new}} {
		switch {
		case side.projection == nil:
		case side.into == &new && old != nil && r.Old.Version == r.New.Version:
			new = old
		default:
			if *side.into, err = OpenScratch(ctx, x.Pool, side.projection); err != nil {
				return err
			}
			defer (*side.into).Close(ctx)
		}
	}
	for i := range r.Tables {
		t := &r.Tables[i]
		for j := range t.Examples {
			e := &t.Examples[j]
			if e.Explanation, err = x.explain(ctx, r, t, e, old, new); err != nil {
				return fmt.Errorf("compare: explaining a row of %s: %w", t.Name, err)
			}
		}
	}
	return nil
}

func (x *Explainer) explain(ctx context.Context, r *Report, t *Table, e *Example, old, new *Scratch) (*Explanation, error) {
	q := t.pair.question(e)
	q.old, q.new, q.limits = old, new, x.Limits.orDefault()
	if old == nil && new == nil {
		return &Explanation{Why: "the program has the code of neither version"}, nil
	}
	g := gatherer{log: x.Log, codec: x.Codec, limits: q.limits}
	for _, s := range []*Scratch{old, new} {
		if s != nil {
			g.projections = append(g.projections, s.projection)
		}
	}
	w := wanted{business: e.Business, until: e.Position}
	for _, row := range []Row{e.old, e.new} {
		if row != nil {
			w.rows = append(w.rows, row)
		}
	}
	s, scope, why, err := reproduced(ctx, g, w, q)
	if err != nil {
		return nil, err
	}
	if s == nil {
		err := x.addQuarantine(ctx, r, w, &why)
		return &Explanation{Scope: scope, Why: why}, err
	}
	explanation, err := s.explain(ctx)
	if err != nil {
		return nil, err
	}
	explanation.Scope = scope
	if why != "" && !explanation.Explained {
		explanation.Why = why + "; " + explanation.Why
	}
	if !explanation.Explained {
		if err := x.addQuarantine(ctx, r, w, &explanation.Why); err != nil {
			return nil, err
		}
	}
	if !x.Personal {
		if err := t.reveal(ctx, e, s, x.Disclosed); err != nil {
			return nil, err
		}
	}
	return &explanation, nil
}

// reproduced looks in one scope after the other for the events that make the
// rows. Where none make both, the row that they do not make is taken as it is
// stored, and why says so; where they make neither, there is no search.
func reproduced(ctx context.Context, g gatherer, w wanted, q question) (found *search, scope, why string, err error) {
	var half *search
	var halfScope string
	for _, scope = range scopes {
		history, err := g.gather(ctx, scope, w)
		if errors.Is(err, ErrTooMany) {
			why = strings.TrimPrefix(err.Error(), "compare: ")
			break
		}
		if err != nil {
			return nil, scope, "", err
		}
		s := &search{question: q, history: history}
		oldWrong, newWrong, err := s.reproduce(ctx)
		switch {
		case err != nil:
			return nil, scope, "", err
		case !oldWrong && !newWrong:
			return s, scope, "", nil
		}
		why = s.wrong(oldWrong, newWrong)
		if (oldWrong || q.old == nil) && (newWrong || q.new == nil) {
			continue
		}
		s.question = q
		if oldWrong {
			s.old = nil
		}
		if newWrong {
			s.new = nil
		}
		if s.whole, err = s.fold(ctx, history); err != nil {
			return nil, scope, "", err
		}
		half, halfScope = s, scope
		if q.old == q.new { // the code that makes the one row cannot make the other
			break
		}
	}
	if half != nil {
		scope = halfScope
	}
	return half, scope, why, nil
}

// wrong tells what the events do not make.
func (s *search) wrong(oldWrong, newWrong bool) string {
	var rows []string
	if oldWrong {
		rows = append(rows, fmt.Sprintf("the old row (by the code of version %d)", s.old.projection.Version()))
	}
	if newWrong {
		rows = append(rows, fmt.Sprintf("the new row (by the code of version %d)", s.new.projection.Version()))
	}
	why := "the events do not make " + strings.Join(rows, " nor ") + " as it is stored"
	for stream := range s.held {
		return why + "; not all of " + stream + " can be applied"
	}
	return why
}

// question is what there is to explain about the example.
func (p *pair) question(e *Example) question {
	q := question{target: target{table: p.name}, was: e.old, is: e.new}
	for _, c := range p.columns {
		q.columns = append(q.columns, c.name)
		if !c.harmless() {
			q.texts = append(q.texts, c.name)
		}
	}
	either := e.new
	if either == nil {
		either = e.old
	}
	if len(p.key) > 0 {
		q.key = make(Row)
		for _, name := range p.key {
			q.key[name] = either[name]
		}
		return q
	}
	q.content, q.columns, q.texts = either, []string{times}, nil
	q.was, q.is = counted(e.Times[0]), counted(e.Times[1])
	return q
}

// counted is the row that stands for n rows of one content.
func counted(n int64) Row {
	if n == 0 {
		return nil
	}
	return Row{times: json.RawMessage(fmt.Sprint(n))}
}

// reveal shows the texts of an example that a fold without personal fields comes
// to as well.
func (t *Table) reveal(ctx context.Context, e *Example, s *search, disclosed Disclosed) error {
	if len(t.Key) == 0 || s.history.Sealed == nil {
		return nil
	}
	d := discretion{disclosed: disclosed, table: t.Name}
	for _, scratch := range []*Scratch{s.old, s.new} {
		if scratch == nil {
			continue
		}
		row, _, err := scratch.row(ctx, s.history.sealed(), s.target)
		if err != nil {
			return err
		}
		d.proofs = append(d.proofs, row)
	}
	e.Changes = d.changes(e.old, e.new, t.pair.shown())
	return nil
}

// shown are the compared columns.
func (p *pair) shown() []column {
	list := make([]column, len(p.columns))
	for i, c := range p.columns {
		list[i] = c.column
	}
	return list
}

// addQuarantine tells of streams of the row that one of the builds holds back.
func (x *Explainer) addQuarantine(ctx context.Context, r *Report, w wanted, why *string) error {
	var streams []string
	for _, row := range w.rows {
		if _, stream, _ := row.origin(); !slices.Contains(streams, stream) {
			streams = append(streams, stream)
		}
	}
	rows, err := x.Pool.Query(ctx, `
		SELECT schema || ' holds back ' || stream || ' from revision ' || q.event_revision || ' on (in quarantine)'
		FROM runner.quarantine q JOIN runner.builds ON id = build_id
		WHERE schema IN ($1, $2) AND stream = ANY ($3) ORDER BY 1 LIMIT 4`, r.Old.Schema, r.New.Schema, streams)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return err
		}
		*why += "; " + text
	}
	return rows.Err()
}
