-- name: wrong
-- version: 1

-- tables:
CREATE TABLE bill (
    invoice     text PRIMARY KEY,
    business_id text NOT NULL,
    total       bigint NOT NULL,
    _stream     text NOT NULL,
    _position   bigint NOT NULL
);

-- on: InvoiceIssued
INSERT INTO bill (invoice, business_id, total, _stream, _position)
SELECT stream, business_id, count(*), stream, max(position)
FROM events GROUP BY 1, 2, 4;

-- on: InvoicePaymentReceived
UPDATE bill SET total = b.n FROM (SELECT count(*) AS n FROM events) b, events e WHERE invoice = e.stream;
