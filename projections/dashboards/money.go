// Package dashboards computes the figures of the dashboards. They are queries
// over the read models, within a transaction that sees one business: figures
// that are kept apart from the records can come to differ from them.
package dashboards

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Money is what is billed and paid in one currency. At every moment,
// outstanding = billed - paid + credit. Amounts are minor units.
type Money struct {
	Invoices    int64 // issued and not void
	PaidInFull  int64
	PartPaid    int64
	Billed      int64
	Paid        int64 // surplus included
	Credit      int64 // the surplus
	Outstanding int64
	ByAge       []Age
}

// Age is what is outstanding of invoices due in a span of days.
type Age struct {
	OverdueFrom int // days after the due date; negative: not yet due
	Invoices    int64
	Outstanding int64
}

// spans are the ages that bookkeepers tell apart, each up to the next.
var spans = []int{-1, 1, 31, 61, 91}

// OfMoney computes the figures of a currency as they are on a day in the
// business's time zone. What was received for an invoice that is void counts:
// it is credit.
func OfMoney(ctx context.Context, tx pgx.Tx, currency string, today time.Time) (Money, error) {
	var m Money
	err := tx.QueryRow(ctx, `
		SELECT count(*) FILTER (WHERE status = 'issued'),
		       count(*) FILTER (WHERE status = 'issued' AND outstanding = 0 AND paid > 0),
		       count(*) FILTER (WHERE status = 'issued' AND outstanding > 0 AND paid > 0),
		       coalesce(sum(billed), 0)::bigint, coalesce(sum(paid), 0)::bigint,
		       coalesce(sum(credit), 0)::bigint, coalesce(sum(outstanding), 0)::bigint
		FROM invoices WHERE business_id = current_setting('portal.business') AND currency = $1`, currency,
	).Scan(&m.Invoices, &m.PaidInFull, &m.PartPaid, &m.Billed, &m.Paid, &m.Credit, &m.Outstanding)
	if err != nil {
		return Money{}, err
	}
	m.ByAge, err = ages(ctx, tx, currency, today)
	return m, err
}

func ages(ctx context.Context, tx pgx.Tx, currency string, today time.Time) ([]Age, error) {
	rows, err := tx.Query(ctx, `
		WITH spans AS (
			SELECT from_days, lead(from_days) OVER (ORDER BY from_days) AS to_days FROM unnest($3::bigint[]) AS from_days),
		due AS (
			SELECT greatest($2::date - due_on, -1) AS days, outstanding FROM invoices
			WHERE business_id = current_setting('portal.business') AND currency = $1 AND outstanding > 0)
		SELECT from_days, count(days), coalesce(sum(outstanding), 0)::bigint
		FROM spans LEFT JOIN due ON days >= from_days AND (to_days IS NULL OR days < to_days)
		GROUP BY from_days ORDER BY from_days`, currency, today, spans)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Age])
}
