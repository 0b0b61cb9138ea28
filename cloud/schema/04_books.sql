CREATE TABLE journal (
    machine        TEXT NOT NULL,
    epoch          TEXT NOT NULL,
    first_heard_ns INTEGER NOT NULL,
    last_heard_ns  INTEGER NOT NULL,
    highest        INTEGER NOT NULL DEFAULT 0,   -- the highest record that is stored
    highest_ns     INTEGER NOT NULL DEFAULT 0,   -- and the time in it
    marked         INTEGER NOT NULL DEFAULT 0,   -- the highest that the retained watermark names
    last_seq       INTEGER,                      -- these as the machine said last, see Status
    owed_from      INTEGER,
    owed           INTEGER NOT NULL DEFAULT 0,
    parked         INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (machine, epoch)
) STRICT, WITHOUT ROWID;

CREATE INDEX journal_unmarked ON journal (machine) WHERE highest <> marked;

CREATE TABLE greeting (
    machine     TEXT PRIMARY KEY,
    heard_ns    INTEGER NOT NULL,                -- since_ns of its last status
    answered_ns INTEGER NOT NULL DEFAULT -1      -- and of the one that the retained watermark answers
) STRICT, WITHOUT ROWID;

CREATE INDEX greeting_unanswered ON greeting (machine) WHERE heard_ns <> answered_ns;

CREATE TABLE stored_range (
    machine TEXT NOT NULL,
    epoch   TEXT NOT NULL,
    first   INTEGER NOT NULL,                    -- inclusive, as is last; no two ranges touch
    last    INTEGER NOT NULL,
    PRIMARY KEY (machine, epoch, first)
) STRICT, WITHOUT ROWID;

CREATE TABLE refused_record (
    machine TEXT NOT NULL,
    epoch   TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    code    TEXT NOT NULL,                       -- of its dead letter
    PRIMARY KEY (machine, epoch, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE bag_count (
    id            INTEGER PRIMARY KEY,           -- the newest of a bag counts, the others are its history
    machine       TEXT NOT NULL,
    bag           TEXT NOT NULL,
    counted_minor INTEGER NOT NULL,
    currency      TEXT NOT NULL,
    who           TEXT NOT NULL,
    at_ns         INTEGER NOT NULL
) STRICT;

CREATE INDEX bag_count_bag ON bag_count (machine, bag, id);
