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
SELECT e.stream, e.business_id, o.total, e.stream, e.position
FROM events e JOIN orders o ON o.invoice = e.stream;
