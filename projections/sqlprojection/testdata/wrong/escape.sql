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
SELECT stream, business_id, length(set_config('role', 'none', true)) + random(), stream, position
FROM events WHERE recorded_at < now() AND current_user <> 'x';

-- on: InvoicePaymentReceived
UPDATE bill SET total = length(query_to_xml('DROP SCHEMA runner CASCADE', true, true, '')::text) FROM events;

-- on: InvoiceVoided
DELETE FROM bill USING runner.builds b WHERE b.id = total;

-- on: InvoiceSent
INSERT INTO bill SELECT rolname, rolname, 1, rolname, 1 FROM pg_roles;

-- on: InvoiceDisputeOpened
WITH gone AS (DELETE FROM read.freshness RETURNING *)
DELETE FROM bill USING gone, events WHERE gone.version = total;
