-- Customers, the people who act for them, and the places where work is done.
CREATE TABLE customers (
    business_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL PRIMARY KEY,
    reference   text NOT NULL, -- the customer's number in another system
    name        text NOT NULL, -- empty once erased, as everywhere below
    language    text NOT NULL,
    version     bigint NOT NULL,
    added_at    timestamptz NOT NULL,
    _stream     text NOT NULL,
    _position   bigint NOT NULL
);
CREATE INDEX customers_newest ON customers (business_id, added_at, customer_id);

CREATE TABLE contacts (
    business_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    contact_id  text COLLATE "C" NOT NULL,
    name        text NOT NULL,
    email       text NOT NULL,
    phone       text NOT NULL,
    language    text NOT NULL,
    access      text NOT NULL,
    property_id text NOT NULL, -- empty: the rights hold everywhere
    unit_id     text NOT NULL,
    added_at    timestamptz NOT NULL,
    _stream     text NOT NULL,
    _position   bigint NOT NULL,
    PRIMARY KEY (customer_id, contact_id)
);
CREATE INDEX contacts_by_id ON contacts (contact_id);

CREATE TABLE properties (
    business_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    property_id text COLLATE "C" NOT NULL,
    name        text NOT NULL,
    address     text NOT NULL,
    added_at    timestamptz NOT NULL,
    _stream     text NOT NULL,
    _position   bigint NOT NULL,
    PRIMARY KEY (customer_id, property_id)
);

CREATE TABLE units (
    business_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    property_id text COLLATE "C" NOT NULL,
    unit_id     text COLLATE "C" NOT NULL,
    name        text NOT NULL,
    added_at    timestamptz NOT NULL,
    _stream     text NOT NULL,
    _position   bigint NOT NULL,
    PRIMARY KEY (customer_id, property_id, unit_id)
);
