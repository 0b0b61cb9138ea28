-- Hours (of UTC) with records that the rollups in InfluxDB may not have yet: cloud/rollups/dirty.py
CREATE TABLE dirty_hour (
    start_ns   INTEGER PRIMARY KEY,
    generation INTEGER NOT NULL,                 -- another number each time it is marked
    since_ns   INTEGER NOT NULL                  -- what came before is in the rollups
) STRICT;

CREATE INDEX dirty_hour_since ON dirty_hour (since_ns);

-- A row: the hours of the records that came before there were rollups are to be found in InfluxDB and marked.
CREATE TABLE unmarked_past (
    since_ns INTEGER PRIMARY KEY
) STRICT;

INSERT INTO unmarked_past SELECT unixepoch() * 1000000000 WHERE EXISTS (SELECT 1 FROM journal);
