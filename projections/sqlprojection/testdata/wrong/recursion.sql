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
WITH RECURSIVE numbers AS (
    SELECT 1::bigint AS n
    UNION ALL
    SELECT n + 1 FROM numbers
)
INSERT INTO bill (invoice, business_id, total, _stream, _position)
SELECT e.stream, e.business_id, max(n), e.stream, max(e.position)
FROM events e, numbers GROUP BY 1, 2, 4;
