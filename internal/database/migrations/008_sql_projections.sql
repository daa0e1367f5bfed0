-- Projections that analysts wrote in SQL. The newest version of each is the one
-- that is filled and read; those before it stay to be looked up.
CREATE TABLE runner.sql_projections (
    name         text NOT NULL,
    version      integer NOT NULL CHECK (version > 0),
    source       text NOT NULL, -- projection.sql
    role         text NOT NULL, -- that its statements run as
    personal     boolean NOT NULL, -- it is shown personal fields
    installed_at timestamptz NOT NULL DEFAULT now(),
    installed_by text NOT NULL,
    PRIMARY KEY (name, version)
);

-- Why nobody fills the build any more; null while somebody does.
ALTER TABLE runner.builds ADD COLUMN put_aside text;
