CREATE TABLE command (
    id         TEXT PRIMARY KEY,
    machine    TEXT NOT NULL,
    who        TEXT NOT NULL,                -- the user of the command line
    key        TEXT NOT NULL,                -- what it was signed with, and the role that key was made for
    role       TEXT NOT NULL,
    name       TEXT NOT NULL,
    args       TEXT NOT NULL,                -- JSON
    issued_ns  INTEGER NOT NULL,
    expires_ns INTEGER NOT NULL,
    envelope   BLOB NOT NULL,                -- sent as it stands, as often as it takes
    sent_ns    INTEGER NOT NULL DEFAULT 0,   -- the last time
    outcome    TEXT,                         -- and the rest of the reply, NULL before it
    code       TEXT,
    text       TEXT,
    result     TEXT,                         -- JSON
    replied_ns INTEGER                       -- when it came here
) STRICT;

CREATE INDEX command_open ON command (machine) WHERE outcome IS NULL;
CREATE INDEX command_issued ON command (issued_ns);

CREATE TABLE stray_reply (
    machine    TEXT PRIMARY KEY,
    count      INTEGER NOT NULL,             -- replies to nothing that was asked
    last_at_ns INTEGER NOT NULL
) STRICT;
