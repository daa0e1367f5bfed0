-- On which days of the week people pay.

-- name: pay_days
-- version: 1

-- tables:
CREATE TABLE pay_day (
    business_id text NOT NULL,
    weekday     int NOT NULL,    -- 1 is Monday
    payments    bigint NOT NULL,
    amount      bigint NOT NULL, -- in minor units
    _stream     text NOT NULL,
    _position   bigint NOT NULL,
    PRIMARY KEY (business_id, weekday)
);

-- on: InvoicePaymentReceived
INSERT INTO pay_day (business_id, weekday, payments, amount, _stream, _position)
SELECT business_id, extract(isodow FROM occurred_at AT TIME ZONE 'Europe/Rome'), count(*),
       sum((data->'received'->'amount')::bigint),
       (array_agg(stream ORDER BY position DESC))[1], max(position)
FROM events
GROUP BY 1, 2
ON CONFLICT (business_id, weekday) DO UPDATE SET
    payments = pay_day.payments + excluded.payments, amount = pay_day.amount + excluded.amount,
    _stream = excluded._stream, _position = excluded._position;
