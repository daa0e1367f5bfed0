-- How long after it was filed each step was taken on a request, and by which
-- team. A row of triage_step is a step: ask for averages and percentiles of
-- hours by team and step.

-- name: triage_times
-- version: 1

-- tables:
CREATE TABLE triage_request (
    request     text PRIMARY KEY, -- the stream
    business_id text NOT NULL,
    channel     text NOT NULL,
    filed_at    timestamptz NOT NULL,
    _stream     text NOT NULL,
    _position   bigint NOT NULL
);
CREATE TABLE triage_step (
    request     text NOT NULL,
    revision    bigint NOT NULL, -- of the step, in its stream
    business_id text NOT NULL,
    step        text NOT NULL,
    team        text NOT NULL,
    hours       double precision NOT NULL, -- since the request was filed
    _stream     text NOT NULL,
    _position   bigint NOT NULL,
    PRIMARY KEY (request, revision)
);
CREATE INDEX triage_step_team ON triage_step (business_id, team, step);

-- on: RequestFiled
INSERT INTO triage_request (request, business_id, channel, filed_at, _stream, _position)
SELECT stream, business_id, data->>'channel', occurred_at, stream, position
FROM events;

-- on: RequestTriaged
INSERT INTO triage_step (request, revision, business_id, step, team, hours, _stream, _position)
SELECT e.stream, e.revision, e.business_id, e.data->>'step', coalesce(e.data->'handler'->>'team', 'none'),
       extract(epoch FROM e.occurred_at - r.filed_at) / 3600, e.stream, e.position
FROM events e JOIN triage_request r ON r.request = e.stream;
