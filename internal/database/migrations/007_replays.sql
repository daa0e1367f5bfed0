-- A build may be asked for: what for, of which part of the log, and how fast. The
-- wishes are written by anybody and obeyed by whoever leads the build.
ALTER TABLE runner.builds
    -- version: the program's next one, which goes live by itself; replay: asked
    -- for by a person, waits for the cut-over; temporary: never goes live.
    ADD COLUMN purpose text NOT NULL DEFAULT 'version' CHECK (purpose IN ('version', 'replay', 'temporary')),
    ADD COLUMN scope jsonb, -- which part of the log; null for all of it
    ADD COLUMN wanted text NOT NULL DEFAULT 'run' CHECK (wanted IN ('run', 'pause')),
    ADD COLUMN throttle integer CHECK (throttle > 0), -- events a second; null for as fast as it goes
    ADD COLUMN cutover_asked timestamptz,
    -- Of a live build that somebody went back to: versions up to this one do not
    -- go live by themselves.
    ADD COLUMN held_back integer,

    ADD COLUMN events bigint NOT NULL DEFAULT 0, -- applied or held back so far
    ADD COLUMN last_event bigint NOT NULL DEFAULT 0, -- commit position of the last of them
    ADD COLUMN complete boolean NOT NULL DEFAULT false, -- the scope has an end, and it was reached
    ADD COLUMN edition bigint NOT NULL DEFAULT 0, -- raised when rows or state are changed by another than the leader, who begins again then

    -- What the leader tells of a build that is being filled.
    ADD COLUMN target bigint NOT NULL DEFAULT 0, -- commit position of the log's end
    ADD COLUMN rate double precision NOT NULL DEFAULT 0, -- events a second of late
    ADD COLUMN speed double precision NOT NULL DEFAULT 0, -- positions a second of late
    ADD COLUMN note text NOT NULL DEFAULT ''; -- what it waits for
