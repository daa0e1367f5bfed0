-- The bookmark of an outbox is more than a saving of time: without it what was
-- not delivered is not known. It says which log it is in, and may stand behind
-- the end of the log before its outbox has met an event.
ALTER TABLE jobs.bookmarks
    ADD COLUMN log_id uuid, -- id of the log's first event
    ALTER COLUMN event_id DROP NOT NULL,
    ALTER COLUMN event_stream DROP NOT NULL,
    ALTER COLUMN event_revision DROP NOT NULL,
    ADD CHECK ((event_id IS NULL) = (event_stream IS NULL) AND (event_id IS NULL) = (event_revision IS NULL));
