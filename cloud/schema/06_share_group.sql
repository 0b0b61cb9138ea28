-- Under this name the cloud's processes share the records. Nobody else may know it: whoever joins a group gets its
-- members' messages, and a broker that denies him the reading still drops them.
CREATE TABLE share_group (
    name TEXT NOT NULL
) STRICT;

INSERT INTO share_group VALUES (lower(hex(randomblob(16))));
