CREATE SCHEMA identity;

-- Bearer tokens, stored as SHA-256. They are random, so that a plain hash is
-- as good as a slow one.
CREATE TABLE identity.api_keys (
    id          uuid PRIMARY KEY,
    business_id text NOT NULL,
    token_hash  bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    kind        text NOT NULL CHECK (kind IN ('staff', 'customer', 'integration')),
    role        text NOT NULL,
    name        text NOT NULL DEFAULT '',
    actor_id    text NOT NULL,
    customer_id text,
    contact_id  text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz,
    revoked_at  timestamptz,
    CHECK ((kind = 'customer') = (customer_id IS NOT NULL)),
    CHECK (contact_id IS NULL OR customer_id IS NOT NULL)
);
CREATE INDEX api_keys_business ON identity.api_keys (business_id);
