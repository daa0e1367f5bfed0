-- What requests read: views onto the live builds of the projections.
CREATE SCHEMA read;
GRANT USAGE ON SCHEMA read TO portal_reader;

-- A build is one filling of a projection's tables from the log, in a schema of
-- its own. The checkpoint is in the same row: how far into which log it is.
CREATE TABLE runner.builds (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    projection text NOT NULL,
    version    integer NOT NULL CHECK (version > 0),
    schema     text NOT NULL UNIQUE,
    state      text NOT NULL CHECK (state IN ('building', 'live', 'retired')),

    log_id          uuid, -- id of the log's first event; null while the log is empty
    commit_position bigint NOT NULL DEFAULT 0 CHECK (commit_position >= 0),
    prepare_position bigint NOT NULL DEFAULT 0 CHECK (prepare_position >= 0),
    -- The last event that was dealt with, by which the log is recognised.
    event_id        uuid,
    event_stream    text,
    event_revision  bigint,
    -- The tables are complete up to this moment.
    as_of           timestamptz NOT NULL DEFAULT 'epoch',
    caught_up       boolean NOT NULL DEFAULT false,

    created_at timestamptz NOT NULL DEFAULT now(),
    live_at    timestamptz,
    CHECK ((event_id IS NULL) = (event_stream IS NULL) AND (event_id IS NULL) = (event_revision IS NULL)),
    CHECK (event_id IS NULL OR log_id IS NOT NULL)
) WITH (fillfactor = 50); -- one row is updated with every batch

CREATE UNIQUE INDEX one_live_build ON runner.builds (projection) WHERE state = 'live';

-- Streams that stopped at an event which could not be applied. What follows it
-- in the stream stays in the log and is held back up to held_revision.
CREATE TABLE runner.quarantine (
    build_id       bigint NOT NULL REFERENCES runner.builds ON DELETE CASCADE,
    stream         text NOT NULL,
    business_id    text NOT NULL,
    event_id       uuid NOT NULL, -- the poisoned event
    event_type     text NOT NULL,
    event_revision bigint NOT NULL,
    event_position bigint NOT NULL,
    held_revision  bigint NOT NULL, -- of the last event held back, the poisoned one at first
    held           bigint NOT NULL DEFAULT 1, -- number of events held back, the poisoned one too
    error          text NOT NULL,
    attempts       integer NOT NULL DEFAULT 1,
    since          timestamptz NOT NULL DEFAULT now(),
    tried_at       timestamptz NOT NULL DEFAULT now(),
    retry          boolean NOT NULL DEFAULT false, -- somebody asks for another attempt
    PRIMARY KEY (build_id, stream),
    CHECK (held_revision >= event_revision)
);

-- Up to when each live read model is complete; no business's data is in it.
CREATE VIEW read.freshness AS
    SELECT projection, version, commit_position, prepare_position, as_of
    FROM runner.builds WHERE state = 'live';
GRANT SELECT ON read.freshness TO portal_reader;
