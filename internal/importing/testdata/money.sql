-- The money of a fines file, over its rows as they are in the file, without any
-- of the project's code.
--
-- The fine itself only rises, so that it is the greatest amount so far. Paying
-- more than is billed at that moment makes credit, once: what is paid later
-- finds the balance at zero, which the running maximum says.
WITH rows AS (
	SELECT case_id, seq, paid_cents,
		max(amount_cents) OVER so_far + coalesce(sum(expense_cents) OVER so_far, 0) AS billed,
		coalesce(sum(paid_cents) OVER so_far, 0) AS paid
	FROM raw WINDOW so_far AS (PARTITION BY case_id ORDER BY seq)
), cases AS (
	SELECT DISTINCT ON (case_id) case_id, billed, paid,
		coalesce(max(greatest(paid - billed, 0)) FILTER (WHERE paid_cents > 0) OVER (PARTITION BY case_id), 0) AS credit
	FROM rows ORDER BY case_id, seq DESC
)
SELECT count(*), count(*) FILTER (WHERE billed - paid + credit = 0),
	count(*) FILTER (WHERE paid > 0 AND billed - paid + credit > 0),
	sum(billed)::bigint, sum(paid)::bigint, sum(credit)::bigint, sum(billed - paid + credit)::bigint
FROM cases
