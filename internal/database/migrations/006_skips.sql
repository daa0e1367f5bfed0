-- Where an event failed in the program, of a panic.
ALTER TABLE runner.quarantine ADD COLUMN stack text NOT NULL DEFAULT '';

-- Events that somebody has decided a version of a projection is to go on without.
-- They outlive the builds: the next build of the version skips them too.
CREATE TABLE runner.skips (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    projection     text NOT NULL,
    version        integer NOT NULL,
    stream         text NOT NULL,
    business_id    text NOT NULL,
    event_id       uuid NOT NULL,
    event_type     text NOT NULL,
    event_revision bigint NOT NULL,
    event_position bigint NOT NULL,
    error          text NOT NULL, -- that it was skipped for
    reason         text NOT NULL CHECK (reason <> ''), -- in the words of whoever decided
    skipped_by     text NOT NULL CHECK (skipped_by <> ''),
    skipped_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (projection, version, event_id)
);

CREATE FUNCTION runner.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of %.% are added and never changed', TG_TABLE_SCHEMA, TG_TABLE_NAME;
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON runner.skips
    FOR EACH STATEMENT EXECUTE FUNCTION runner.refuse_change();

-- What a business may know of its own streams. Schema runner is closed to readers.
CREATE VIEW read.quarantine WITH (security_barrier = true) AS
    SELECT business_id, projection, version, state = 'live' AS live, stream, q.event_id, event_type,
           q.event_revision, event_position, held, error, attempts, since, tried_at, retry
    FROM runner.quarantine q JOIN runner.builds ON id = build_id
    WHERE state <> 'retired' AND business_id = nullif(current_setting('portal.business', true), '');
GRANT SELECT ON read.quarantine TO portal_reader;

CREATE VIEW read.skips WITH (security_barrier = true) AS
    SELECT * FROM runner.skips WHERE business_id = nullif(current_setting('portal.business', true), '');
GRANT SELECT ON read.skips TO portal_reader;
