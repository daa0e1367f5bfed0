-- Of the invoices that got a late fee: in which quarter of a year after it the
-- first payment came, if one did, in percent.
WITH charged AS (
    SELECT CASE WHEN first_after IS NULL THEN 9
                ELSE least(8, floor(extract(epoch FROM first_after - fee_at) / 86400 / 91)) END AS quarter
    FROM late_fee_invoice WHERE fee_at IS NOT NULL
)
SELECT CASE quarter WHEN 9 THEN 'no payment after the fee' WHEN 8 THEN 'after more than 2 years'
                    ELSE format('days %s to %s', quarter * 91, quarter * 91 + 90) END,
       round(100.0 * count(*) / (SELECT count(*) FROM charged), 1)::float8
FROM charged GROUP BY quarter ORDER BY quarter
