-- One row an invoice. Amounts are minor units of the invoice's currency:
-- nothing is billed before the issue nor when void; paid is all that was
-- received, credit the surplus of it.
CREATE TABLE invoices (
    business_id    text COLLATE "C" NOT NULL,
    customer_id    text COLLATE "C" NOT NULL,
    invoice_id     text COLLATE "C" NOT NULL PRIMARY KEY,
    property_id    text NOT NULL,
    unit_id        text NOT NULL,
    quote_id       text NOT NULL,
    reference      text NOT NULL,
    number         bigint NOT NULL, -- 0 until it is issued
    currency       text NOT NULL,
    status         text NOT NULL,
    version        bigint NOT NULL,
    total          bigint NOT NULL, -- of the lines
    billed         bigint NOT NULL,
    paid           bigint NOT NULL,
    credit         bigint NOT NULL,
    outstanding    bigint NOT NULL CHECK (outstanding = billed - paid + credit),
    issued_on      date,
    due_on         date,
    disputed       boolean NOT NULL, -- a dispute is open
    drafted_at     timestamptz NOT NULL,
    issued_at      timestamptz,
    sent_at        timestamptz,      -- for the first time
    delivered_at   timestamptz,
    viewed_at      timestamptz,      -- by the customer, for the first time
    last_viewed_at timestamptz,
    last_paid_at   timestamptz,
    collections_at timestamptz,
    details        jsonb NOT NULL,
    _stream        text NOT NULL,
    _position      bigint NOT NULL
) WITH (fillfactor = 80); -- room to change rows in place, without touching the indexes
CREATE INDEX invoices_newest ON invoices (business_id, drafted_at, invoice_id);
CREATE INDEX invoices_of_customer ON invoices (customer_id, drafted_at, invoice_id);
CREATE INDEX invoices_outstanding ON invoices (business_id, due_on) WHERE outstanding > 0;
