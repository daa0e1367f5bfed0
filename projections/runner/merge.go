package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// ErrNoCutOver says that a build cannot take the place of what is live.
var ErrNoCutOver = errors.New("this cannot be cut over")

// merge puts the rows of a part replay in the place of the live ones, once both
// contain the same events of the part. The part is done then.
func (l *leader) merge(ctx context.Context) error {
	var replaced int64
	err := l.hold(ctx, func(ctx context.Context, tx pgx.Tx, live held) (err error) {
		if err := l.comparable(live); err != nil {
			return err
		}
		if replaced, err = l.replaceRows(ctx, tx, live.build); err != nil {
			return err
		}
		return l.endPart(ctx, tx, live.build, replaced)
	})
	if errors.Is(err, ErrNoCutOver) {
		l.note = err.Error()
		return wish(ctx, l.runner.cfg.Pool, l.build.id, `cutover_asked = NULL`)
	}
	if l.again(err) {
		return nil
	}
	if err != nil {
		return err
	}
	l.log.InfoContext(ctx, "rows of the part are live", "rows", replaced, "position", l.at.position)
	return errGone
}

// comparable tells whether the live build contains the same events of the part: no
// fewer, since the part has reached it, and no more.
func (l *leader) comparable(live held) error {
	switch p := l.build.projection; {
	case live.id == 0:
		return fmt.Errorf("%w: the projection has no live tables", ErrNoCutOver)
	case live.version != p.Version():
		return fmt.Errorf("%w: rows of version %d cannot be put in the place of those of version %d",
			ErrNoCutOver, p.Version(), live.version)
	case live.position.Commit < l.at.lastEvent:
		return errNotThereYet
	}
	return nil
}

// rows is the condition that a row belongs to the part.
func (s *Scope) rows(r relation) (condition string, args []any) {
	var conditions []string
	if len(s.Streams) > 0 {
		args = append(args, s.Streams)
		conditions = append(conditions, "_stream = ANY ($1)")
	}
	if s.Business != "" {
		args = append(args, s.Business)
		conditions = append(conditions, fmt.Sprintf("business_id = $%d::%s", len(args), r.columns["business_id"]))
	}
	return strings.Join(conditions, " AND "), args
}

// replaceRows counts those that are put in.
func (l *leader) replaceRows(ctx context.Context, tx pgx.Tx, live build) (rows int64, err error) {
	relations, err := l.build.relations(ctx, tx)
	if err != nil {
		return 0, err
	}
	for _, r := range relations {
		if r.view {
			continue
		}
		to, from := pgx.Identifier{live.schema, r.name}.Sanitize(), pgx.Identifier{r.schema, r.name}.Sanitize()
		condition, args := l.build.scope.rows(r)
		if _, err := tx.Exec(ctx, "DELETE FROM "+to+" WHERE "+condition, args...); err != nil {
			return 0, err
		}
		var columns []string
		for name := range r.columns {
			if !slices.Contains(r.generated, name) {
				columns = append(columns, ident(name))
			}
		}
		list := strings.Join(columns, ", ")
		tag, err := tx.Exec(ctx, "INSERT INTO "+to+" ("+list+") SELECT "+list+" FROM "+from)
		if err != nil {
			return 0, err
		}
		rows += tag.RowsAffected()
	}
	return rows, nil
}

// endPart hands the quarantine of the part's streams over, tells the live build's
// leader that it does not know its rows any more, and lets the part go.
func (l *leader) endPart(ctx context.Context, tx pgx.Tx, live build, rows int64) error {
	scope := l.build.scope
	if _, err := tx.Exec(ctx, `
		DELETE FROM runner.quarantine WHERE build_id = $1
		AND ($2 = '' OR business_id = $2) AND (cardinality($3::text[]) = 0 OR stream = ANY ($3))`,
		live.id, scope.Business, append([]string{}, scope.Streams...)); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE runner.quarantine SET build_id = $1 WHERE build_id = $2`, live.id, l.build.id); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE runner.builds SET edition = edition + 1 WHERE id = $1`, live.id); err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, `
		UPDATE runner.builds SET state = 'retired', note = $2 WHERE id = $1 AND state = 'building'`,
		l.build.id, fmt.Sprintf("%d rows were put in the place of live ones", rows))
	if err != nil {
		return err
	}
	if tag.RowsAffected() != 1 {
		return errFenced
	}
	return execute(ctx, tx, "DROP SCHEMA "+ident(l.build.schema)+" CASCADE")
}
