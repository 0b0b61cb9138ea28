CREATE TABLE wanted (
    machine           TEXT PRIMARY KEY,
    version           INTEGER NOT NULL,          -- only goes up
    prices            TEXT NOT NULL,             -- the PriceList as JSON, sent as it stands
    changed_at_ns     INTEGER NOT NULL,
    published_version INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE machine (
    machine    TEXT PRIMARY KEY,
    status     TEXT,                             -- the last JSON of each retained topic
    reported   TEXT,
    stock      TEXT,
    seen_at_ns INTEGER NOT NULL DEFAULT 0        -- its own word; a retained message is the broker's memory
) STRICT;

CREATE TABLE charged (
    machine       TEXT NOT NULL,
    slot          TEXT NOT NULL,
    tender        TEXT NOT NULL,                 -- cash | card: each may have a price of its own
    price_minor   INTEGER NOT NULL,
    price_version INTEGER NOT NULL,
    at_ns         INTEGER NOT NULL,
    PRIMARY KEY (machine, slot, tender)
) STRICT;

CREATE TABLE dead_letter (
    digest      BLOB PRIMARY KEY,                -- of topic, payload and code: sent again, it is counted, not kept twice
    topic       TEXT NOT NULL,
    payload     BLOB NOT NULL,
    code        TEXT NOT NULL,
    reason      TEXT NOT NULL,
    epoch       TEXT,                            -- and seq: of the record, where they could be read
    seq         INTEGER,
    first_at_ns INTEGER NOT NULL,
    last_at_ns  INTEGER NOT NULL,
    count       INTEGER NOT NULL
) STRICT;
