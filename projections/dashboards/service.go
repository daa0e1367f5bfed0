package dashboards

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Quotes is how far quotes have come: of those drafted in a span of time, how
// many reached each step, and how many stand where now.
type Quotes struct {
	Drafted, Sent, Viewed, Approved, Declined int64 // reached that step
	Draft, Open, InChange, Expired            int64 // stand there now
	ApprovedTotal, OpenTotal                  int64 // minor units of the currency
	OpenQuestions                             int64 // that nobody has answered
}

// OfQuotes computes the funnel of quotes in a currency drafted from one moment
// until another, as it is now.
func OfQuotes(ctx context.Context, tx pgx.Tx, currency string, from, until, now time.Time) (Quotes, error) {
	rows, err := tx.Query(ctx, `
		SELECT count(*), count(sent_at), count(viewed_at), count(approved_at), count(*) FILTER (WHERE status = 'declined'),
		       count(*) FILTER (WHERE status = 'draft'),
		       count(*) FILTER (WHERE status = 'open' AND NOT coalesce(expires_at < $4, false)),
		       count(*) FILTER (WHERE status = 'in-change'),
		       count(*) FILTER (WHERE status = 'expired' OR status = 'open' AND expires_at < $4),
		       coalesce(sum(approved_total), 0)::bigint,
		       coalesce(sum(held_total) FILTER (WHERE status = 'open' AND NOT coalesce(expires_at < $4, false)), 0)::bigint,
		       coalesce(sum(open_questions), 0)::bigint
		FROM quotes
		WHERE business_id = current_setting('portal.business') AND currency = $1 AND drafted_at >= $2 AND drafted_at < $3`,
		currency, from, until, now)
	if err != nil {
		return Quotes{}, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Quotes])
}

// Requests is who waits for the business, and for how long.
type Requests struct {
	Waiting        int64
	OldestSince    *time.Time
	Overdue        int64 // past the deadline that was promised, and waiting
	AskedBack      int64 // it is the customer's turn
	Accepted       int64
	Declined       int64
	MedianDecision *float64 // seconds from filing to the decision
	ByWait         []Wait
}

// Wait is how many have waited at least so many days, and less than the next
// span's.
type Wait struct {
	FromDays int
	Requests int64
}

var waits = []int{0, 1, 3, 7, 30}

// OfRequests computes the figures as they are now.
func OfRequests(ctx context.Context, tx pgx.Tx, now time.Time) (Requests, error) {
	var r Requests
	err := tx.QueryRow(ctx, `
		SELECT count(waiting_since), min(waiting_since), count(*) FILTER (WHERE waiting_since IS NOT NULL AND deadline < $1),
		       count(*) FILTER (WHERE status = 'asked-back'), count(*) FILTER (WHERE status = 'accepted'),
		       count(*) FILTER (WHERE status = 'declined'),
		       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM decided_at - filed_at)::float8)
		FROM requests WHERE business_id = current_setting('portal.business')`, now,
	).Scan(&r.Waiting, &r.OldestSince, &r.Overdue, &r.AskedBack, &r.Accepted, &r.Declined, &r.MedianDecision)
	if err != nil {
		return Requests{}, err
	}
	rows, err := tx.Query(ctx, `
		WITH spans AS (
			SELECT from_days, lead(from_days) OVER (ORDER BY from_days) AS to_days FROM unnest($2::bigint[]) AS from_days),
		waiting AS (
			SELECT greatest(extract(epoch FROM $1::timestamptz - waiting_since) / 86400, 0) AS days FROM requests
			WHERE business_id = current_setting('portal.business') AND waiting_since IS NOT NULL)
		SELECT from_days, count(days)
		FROM spans LEFT JOIN waiting ON days >= from_days AND (to_days IS NULL OR days < to_days)
		GROUP BY from_days ORDER BY from_days`, now, waits)
	if err != nil {
		return Requests{}, err
	}
	r.ByWait, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Wait])
	return r, err
}
