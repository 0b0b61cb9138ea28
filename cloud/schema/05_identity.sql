CREATE TABLE certificate (
    serial        TEXT PRIMARY KEY,              -- hex
    name          TEXT NOT NULL,                 -- its common name: a machine, or a part of the cloud
    public_key    BLOB NOT NULL,                 -- DER: the same key asking again gets the same certificate
    pem           TEXT NOT NULL,
    not_before_ns INTEGER NOT NULL,
    not_after_ns  INTEGER NOT NULL,
    issued_at_ns  INTEGER NOT NULL,
    how           TEXT NOT NULL,                 -- provision | request | join | renewal | operator | proof
    who           TEXT NOT NULL,                 -- who had it made
    revoked_at_ns INTEGER,
    reason        TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX certificate_name ON certificate (name, issued_at_ns);

CREATE INDEX certificate_revoked ON certificate (name) WHERE revoked_at_ns IS NOT NULL;

CREATE TABLE invitation (
    machine       TEXT PRIMARY KEY,              -- a new one takes the place of the old one
    salt          BLOB NOT NULL,
    digest        BLOB NOT NULL,                 -- of the secret, which nobody keeps
    expires_at_ns INTEGER NOT NULL,
    wrong_tries   INTEGER NOT NULL DEFAULT 0,
    serial        TEXT,                          -- of the certificate that it was used for
    who           TEXT NOT NULL
) STRICT;
