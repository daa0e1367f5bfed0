-- How much of what was billed has come in, by the month in which the invoice
-- was issued. A row of recovery_month is a business's month: divide received by
-- billed.

-- name: recovery_rate
-- version: 1

-- tables:
CREATE TABLE recovery_invoice (
    invoice     text PRIMARY KEY, -- the stream
    business_id text NOT NULL,
    month       date NOT NULL,    -- its first day
    _stream     text NOT NULL,
    _position   bigint NOT NULL
);
CREATE TABLE recovery_month (
    business_id text NOT NULL,
    month       date NOT NULL,
    currency    text NOT NULL,
    invoices    bigint NOT NULL,
    billed      bigint NOT NULL, -- in minor units, as is received
    received    bigint NOT NULL,
    _stream     text NOT NULL,
    _position   bigint NOT NULL,
    PRIMARY KEY (business_id, month, currency)
);

-- on: InvoiceFrozen
INSERT INTO recovery_invoice (invoice, business_id, month, _stream, _position)
SELECT stream, business_id, date_trunc('month', (data->>'issuedOn')::timestamp)::date, stream, position
FROM events;

-- on: InvoiceIssued, InvoiceExpenseAdded, InvoiceLateFeeAdded, InvoiceCreditNoteIssued, InvoicePaymentReceived
WITH amounts AS (
    SELECT business_id, stream, position,
           CASE WHEN type = 'InvoiceIssued' THEN 1 ELSE 0 END AS invoices,
           CASE type
               WHEN 'InvoiceIssued' THEN (data->'total'->>'amount')::bigint
               WHEN 'InvoiceExpenseAdded' THEN (data->'amount'->>'amount')::bigint
               WHEN 'InvoiceLateFeeAdded' THEN (data->'amount'->>'amount')::bigint
               WHEN 'InvoiceCreditNoteIssued' THEN -(data->'amount'->>'amount')::bigint
               ELSE 0
           END AS billed,
           -- A surplus belongs to the customer's account, and recovers nothing.
           coalesce((data->'allocated'->>'amount')::bigint, 0) AS received,
           coalesce(data->'total', data->'amount', data->'allocated')->>'currency' AS currency
    FROM events
)
INSERT INTO recovery_month AS so_far (business_id, month, currency, invoices, billed, received, _stream, _position)
SELECT a.business_id, i.month, a.currency, sum(a.invoices), sum(a.billed), sum(a.received),
       (array_agg(a.stream ORDER BY a.position DESC))[1], max(a.position)
FROM amounts a JOIN recovery_invoice i ON i.invoice = a.stream
GROUP BY a.business_id, i.month, a.currency
ON CONFLICT (business_id, month, currency) DO UPDATE SET
    invoices  = so_far.invoices + excluded.invoices,
    billed    = so_far.billed + excluded.billed,
    received  = so_far.received + excluded.received,
    _stream   = excluded._stream,
    _position = excluded._position;
