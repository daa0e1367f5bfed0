-- What the portal notes of work that it does by itself. Losing it costs time
-- and nothing else.
CREATE SCHEMA jobs;

-- How far the followers of the log have come that keep no rows of their own:
-- the event up to which one of them has nothing left to do.
CREATE TABLE jobs.bookmarks (
    follower         text PRIMARY KEY,
    commit_position  bigint NOT NULL,
    prepare_position bigint NOT NULL,
    event_id         uuid NOT NULL,
    event_stream     text NOT NULL,
    event_revision   bigint NOT NULL
) WITH (fillfactor = 50);
