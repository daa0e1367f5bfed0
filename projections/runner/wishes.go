package runner

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// wishes are what people want of a build that is being filled.
type wishes struct {
	pause    bool
	throttle int  // events a second; 0 for no bound
	asked    bool // somebody asked for the cut-over
	own      bool // it is the program's next version, which goes live by itself
}

func (w wishes) cutOver() bool { return w.asked || w.own }

// hear reads the wishes. A build that is live has none.
func (l *leader) hear(ctx context.Context) error {
	if l.live {
		return nil
	}
	var w wishes
	err := l.conn.QueryRow(ctx, `
		SELECT wanted = 'pause', coalesce(throttle, 0), cutover_asked IS NOT NULL,
		       purpose = 'version' AND NOT EXISTS (
		           SELECT FROM runner.builds l
		           WHERE l.projection = b.projection AND l.state = 'live' AND l.held_back >= b.version)
		FROM runner.builds b WHERE id = $1 AND state <> 'retired'`, l.build.id).
		Scan(&w.pause, &w.throttle, &w.asked, &w.own)
	if errors.Is(err, pgx.ErrNoRows) {
		return errGone
	}
	if err != nil {
		return err
	}
	w.own = w.own && !l.runner.cfg.CutOverOnRequest
	if w.asked && !l.wishes.asked {
		l.note = ""
	}
	l.wishes = w
	return nil
}
