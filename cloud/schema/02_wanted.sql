CREATE TABLE entry (
    kind    TEXT NOT NULL,                       -- product | planogram | fleet | group | machine
    name    TEXT NOT NULL,
    content TEXT NOT NULL,                       -- JSON: cloud/wanted/plan.py
    PRIMARY KEY (kind, name)
) STRICT;

CREATE TABLE change (
    number  INTEGER PRIMARY KEY,                 -- only goes up
    at_ns   INTEGER NOT NULL,
    who     TEXT NOT NULL,
    what    TEXT NOT NULL,
    settled INTEGER NOT NULL DEFAULT 0           -- 1: every machine's messages follow from it
) STRICT;

CREATE TABLE change_entry (
    change INTEGER NOT NULL REFERENCES change,
    kind   TEXT NOT NULL,
    name   TEXT NOT NULL,
    before TEXT,                                 -- the content, NULL where there was none
    after  TEXT,
    PRIMARY KEY (change, kind, name)
) STRICT;

CREATE TABLE own (
    machine TEXT PRIMARY KEY,                    -- known to the desk
    prices  TEXT                                 -- the PriceList it had before anybody wanted anything of it
) STRICT;

ALTER TABLE wanted RENAME TO wanted_prices;

CREATE TABLE wanted (
    topic             TEXT NOT NULL,             -- prices | config
    machine           TEXT NOT NULL,
    version           INTEGER NOT NULL,          -- only goes up
    payload           TEXT NOT NULL,             -- the message as JSON, sent as it stands
    changed_at_ns     INTEGER NOT NULL,
    published_version INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, machine)
) STRICT;

CREATE INDEX wanted_unpublished ON wanted (topic, machine) WHERE version > published_version;

INSERT INTO wanted
    SELECT 'prices', machine, version, prices, changed_at_ns, published_version FROM wanted_prices;

INSERT INTO own SELECT machine, prices FROM wanted_prices;

DROP TABLE wanted_prices;
