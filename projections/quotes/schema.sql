-- One row a quote. The customer sees what they hold, staff what they work on.
CREATE TABLE quotes (
    business_id     text COLLATE "C" NOT NULL,
    customer_id     text COLLATE "C" NOT NULL,
    quote_id        text COLLATE "C" NOT NULL PRIMARY KEY,
    property_id     text NOT NULL,
    unit_id         text NOT NULL,
    request_id      text NOT NULL,
    reference       text NOT NULL,
    currency        text NOT NULL,
    status          text NOT NULL,
    version         bigint NOT NULL, -- of the offer that staff work on, as are title and total
    title           text NOT NULL,
    total           bigint NOT NULL, -- minor units, without the optional lines
    held            bigint NOT NULL, -- version that the customer holds, 0 for none; so with the next three
    held_title      text NOT NULL,
    held_total      bigint NOT NULL,
    expires_at      timestamptz,
    approved_total  bigint,          -- with the options that were taken
    open_questions  bigint NOT NULL, -- that nobody has answered
    drafted_at      timestamptz NOT NULL,
    sent_at         timestamptz,     -- for the first time, as is viewed_at: by the customer
    viewed_at       timestamptz,
    last_viewed_at  timestamptz,
    approved_at     timestamptz,
    declined_at     timestamptz,
    details         jsonb NOT NULL,
    _stream         text NOT NULL,
    _position       bigint NOT NULL
) WITH (fillfactor = 80); -- room to change rows in place, without touching the indexes
CREATE INDEX quotes_newest ON quotes (business_id, drafted_at, quote_id);
CREATE INDEX quotes_of_customer ON quotes (customer_id, drafted_at, quote_id);
