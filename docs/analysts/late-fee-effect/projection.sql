-- Whether a late fee makes people pay. A row of late_fee_invoice is an invoice
-- that was charged one, or may be yet: compare what came in before the fee with
-- what came in after it, and see how long the first payment after it took.

-- name: late_fee_effect
-- version: 1

-- tables:
CREATE TABLE late_fee_invoice (
    invoice      text PRIMARY KEY, -- the stream
    business_id  text NOT NULL,
    due_on       date NOT NULL,
    fee_at       timestamptz,      -- of the first late fee, if there is one
    fee_position bigint,
    fees         bigint NOT NULL DEFAULT 0, -- in minor units, as are the two below
    paid_before  bigint NOT NULL DEFAULT 0,
    paid_after   bigint NOT NULL DEFAULT 0,
    first_after  timestamptz,      -- the first payment after the fee
    _stream      text NOT NULL,
    _position    bigint NOT NULL
);
CREATE INDEX late_fee_invoice_fee ON late_fee_invoice (business_id, fee_at) WHERE fee_at IS NOT NULL;

-- on: InvoiceFrozen
INSERT INTO late_fee_invoice (invoice, business_id, due_on, _stream, _position)
SELECT stream, business_id, (data->>'dueOn')::date, stream, position
FROM events;

-- on: InvoiceLateFeeAdded
WITH fees AS (
    SELECT stream, min(occurred_at) AS first, min(position) AS first_position, max(position) AS last_position,
           sum((data->'amount'->>'amount')::bigint) AS amount
    FROM events GROUP BY stream
)
UPDATE late_fee_invoice i SET
    fee_at       = coalesce(i.fee_at, f.first),
    fee_position = coalesce(i.fee_position, f.first_position),
    fees         = i.fees + f.amount,
    _position    = f.last_position
FROM fees f WHERE i.invoice = f.stream;

-- A batch can have a payment and, after it, the fee, which the statement above has
-- dealt with by now: positions say what was first.
-- on: InvoicePaymentReceived
WITH payments AS (
    SELECT e.stream, max(e.position) AS last_position,
           coalesce(sum((e.data->'received'->>'amount')::bigint)
               FILTER (WHERE i.fee_position IS NULL OR e.position < i.fee_position), 0) AS before,
           coalesce(sum((e.data->'received'->>'amount')::bigint)
               FILTER (WHERE e.position > i.fee_position), 0) AS after,
           min(e.occurred_at) FILTER (WHERE e.position > i.fee_position) AS first_after
    FROM events e JOIN late_fee_invoice i ON i.invoice = e.stream
    GROUP BY e.stream
)
UPDATE late_fee_invoice i SET
    paid_before = i.paid_before + p.before,
    paid_after  = i.paid_after + p.after,
    first_after = coalesce(i.first_after, p.first_after),
    _position   = greatest(i._position, p.last_position)
FROM payments p WHERE i.invoice = p.stream;
