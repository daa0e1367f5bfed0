-- One row a business: what its pages and dashboards need to know of it.
CREATE TABLE businesses (
    business_id   text COLLATE "C" NOT NULL PRIMARY KEY,
    slug          text NOT NULL,
    name          text NOT NULL,
    currency      text NOT NULL,
    time_zone     text NOT NULL,
    language      text NOT NULL,
    portal_open   boolean NOT NULL,
    registered_at timestamptz NOT NULL,
    _stream       text NOT NULL,
    _position     bigint NOT NULL
);
