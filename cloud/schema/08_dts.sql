CREATE TABLE dts_read (
    machine  TEXT NOT NULL,
    number   INTEGER NOT NULL,                   -- counts up, a machine
    at_ns    INTEGER NOT NULL,
    is_reset INTEGER NOT NULL,                   -- 1: the interval of the reads after it begins here
    figures  TEXT NOT NULL,                      -- what was read, as JSON
    PRIMARY KEY (machine, number)
) STRICT, WITHOUT ROWID;
