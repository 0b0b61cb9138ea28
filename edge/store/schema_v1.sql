-- The journal: one file, one connection, one process. WAL + synchronous=FULL is set by the opener.

CREATE TABLE journal (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    claim_key BLOB NOT NULL,           -- secret of its claim codes, made with the file
    commands_over_ns INTEGER NOT NULL DEFAULT 0,  -- commands with a deadline up to this are over
    state BLOB                         -- the sale machine's state after the last step, NULL before the first
) STRICT;

-- Identity of the numbers of records: one, made with the file, until it turns out that the file was copied.
CREATE TABLE epoch (
    after INTEGER PRIMARY KEY,         -- its record number 1 has the next seq in this file
    epoch TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE record (
    seq     INTEGER PRIMARY KEY,       -- 1, 2, 3 ... through all epochs, on the wire less its epoch's `after`
    at_ns   INTEGER NOT NULL UNIQUE,
    stream  TEXT NOT NULL,             -- topic name: sale | event
    body    BLOB NOT NULL,             -- the bytes that are sent, made once
    state   TEXT NOT NULL DEFAULT 'owed' CHECK (state IN ('owed', 'stored', 'parked')),
    refused TEXT,                      -- why the cloud would not take it, when parked
    boot    TEXT,                      -- and made_ns: of a stamp that is an estimate and may still be corrected,
    made_ns INTEGER                    -- the run of the board, and the monotonic time in it
) STRICT;

CREATE INDEX record_owed ON record (stream, seq) WHERE state = 'owed';
CREATE INDEX record_unsettled ON record (state, seq) WHERE state <> 'stored';

CREATE INDEX record_estimated ON record (seq) WHERE made_ns IS NOT NULL;

CREATE TABLE command (
    id         TEXT PRIMARY KEY,       -- never carried out again while it is here
    at_ns      INTEGER NOT NULL,       -- when it came
    key        TEXT NOT NULL,          -- who signed it
    name       TEXT NOT NULL,
    expires_ns INTEGER NOT NULL,
    digest     TEXT NOT NULL,          -- of the message
    reply      BLOB                    -- the bytes that are sent, NULL while it is being carried out
) STRICT;

PRAGMA user_version = 1;
