-- One row an event, never changed: what happened to which record, who did it,
-- and the arguments of the sentence that a reader sees. Names, times in a time
-- zone and the sentence itself are made on reading. Nothing here is personal.
CREATE TABLE timeline (
    business_id  text COLLATE "C" NOT NULL,
    customer_id  text COLLATE "C" NOT NULL, -- empty where no customer is concerned
    record_kind  text COLLATE "C" NOT NULL, -- the category of the stream
    record_id    text COLLATE "C" NOT NULL,
    event_id     uuid NOT NULL,
    type         text COLLATE "C" NOT NULL,
    actor_kind   text COLLATE "C" NOT NULL,
    actor_id     text COLLATE "C" NOT NULL, -- empty for the system
    acting_for   text COLLATE "C" NOT NULL, -- the contact through whose eyes staff look
    session_id   text COLLATE "C" NOT NULL,
    signed_in_by text COLLATE "C" NOT NULL,
    origin       text COLLATE "C" NOT NULL,
    occurred_at  timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL,
    args         jsonb NOT NULL,
    _stream      text COLLATE "C" NOT NULL,
    _revision    bigint NOT NULL,
    _position    bigint NOT NULL
);

-- They find and roughly order rows; the few of one time, one record or one
-- customer are then sorted. Nothing is put in twice, because the checkpoint moves
-- with the rows. What the portal did by itself, such as imports, is not looked for
-- by actor.
CREATE INDEX timeline_in_order ON timeline (hashtext(business_id), occurred_at);
CREATE INDEX timeline_of_record ON timeline (record_id);
CREATE INDEX timeline_of_customer ON timeline (customer_id) WHERE customer_id <> '';
CREATE INDEX timeline_of_actor ON timeline (actor_id, occurred_at) WHERE actor_kind <> 'system';

-- Among the entries of a business its id is always the same, which makes an index of
-- it large and slow to sort; the hash is four bytes (decision 0025). Readers are told
-- apart by the id, as in every table, and found by the hash. That one follows from the
-- other is for the planner, which would multiply their odds.
CREATE POLICY business_hash ON timeline AS RESTRICTIVE FOR SELECT TO portal_reader
    USING (hashtext(business_id) = hashtext(current_setting('portal.business', true)));
CREATE STATISTICS timeline_business (dependencies) ON business_id, (hashtext(business_id)) FROM timeline;
