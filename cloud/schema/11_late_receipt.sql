CREATE TABLE late_receipt (
    machine TEXT NOT NULL,                       -- it was told that these records are refused; they are stored now
    epoch   TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    at_ns   INTEGER NOT NULL,                    -- the record's own
    PRIMARY KEY (machine, epoch, seq)
) STRICT, WITHOUT ROWID;
