-- The keys of the people whose personal data is in the log. A row outlives its
-- key: that a person has been erased must never be forgotten, or the next event
-- about them would make a new key.
CREATE TABLE keys.subjects (
    business_id  text NOT NULL CHECK (business_id <> ''),
    subject      text NOT NULL CHECK (subject <> ''),
    master_id    text,  -- the master key under which the key is wrapped
    wrapped      bytea, -- AES-256-GCM of the key; business and subject are bound to it
    created_at   timestamptz NOT NULL DEFAULT now(),
    destroyed_at timestamptz,
    PRIMARY KEY (business_id, subject),
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL)),
    CHECK ((wrapped IS NULL) = (master_id IS NULL))
);
