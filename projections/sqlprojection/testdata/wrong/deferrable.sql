-- name: wrong
-- version: 1

-- tables:
CREATE TABLE bill (
    invoice     text PRIMARY KEY,
    business_id text NOT NULL,
    total       bigint NOT NULL UNIQUE DEFERRABLE INITIALLY DEFERRED,
    _stream     text NOT NULL,
    _position   bigint NOT NULL
);

-- on: InvoiceIssued
DELETE FROM bill USING events e WHERE invoice = e.stream;
