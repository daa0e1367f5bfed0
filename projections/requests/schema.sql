-- One row a request.
CREATE TABLE requests (
    business_id   text COLLATE "C" NOT NULL,
    customer_id   text COLLATE "C" NOT NULL,
    request_id    text COLLATE "C" NOT NULL PRIMARY KEY,
    contact_id    text NOT NULL, -- who filed it in the portal
    property_id   text NOT NULL,
    unit_id       text NOT NULL,
    kind          text NOT NULL,
    channel       text NOT NULL,
    reference     text NOT NULL,
    subject       text NOT NULL,
    status        text NOT NULL,
    handler       text NOT NULL, -- who took the latest step, and their team
    team          text NOT NULL,
    version       bigint NOT NULL,
    deadline      timestamptz,
    filed_at      timestamptz NOT NULL,
    waiting_since timestamptz,   -- it is the business's turn since then
    decided_at    timestamptz,   -- accepted or declined
    details       jsonb NOT NULL,
    _stream       text NOT NULL,
    _position     bigint NOT NULL
) WITH (fillfactor = 80); -- room to change rows in place, without touching the indexes
CREATE INDEX requests_newest ON requests (business_id, filed_at, request_id);
CREATE INDEX requests_of_customer ON requests (customer_id, filed_at, request_id);
CREATE INDEX requests_waiting ON requests (business_id, waiting_since) WHERE waiting_since IS NOT NULL;

-- One row a step that staff took towards an answer, never changed. A request
-- that takes many does not become slower with each.
CREATE TABLE request_steps (
    business_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    request_id  text COLLATE "C" NOT NULL,
    step        text NOT NULL,
    handler     text NOT NULL,
    team        text NOT NULL,
    taken_at    timestamptz NOT NULL,
    _stream     text NOT NULL,
    _revision   bigint NOT NULL,
    _position   bigint NOT NULL,
    PRIMARY KEY (request_id, _revision)
);
