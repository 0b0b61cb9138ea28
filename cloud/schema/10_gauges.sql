-- the last JSON of the retained topic, and when it arrived here
ALTER TABLE machine ADD COLUMN health TEXT;
ALTER TABLE machine ADD COLUMN health_ns INTEGER NOT NULL DEFAULT 0;
-- its newest sale, free and test vends aside, and since when its door is open, 0 while it is not: times of the machine
ALTER TABLE machine ADD COLUMN sold_ns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE machine ADD COLUMN door_open_ns INTEGER NOT NULL DEFAULT 0;
UPDATE machine SET sold_ns = ifnull((SELECT max(at_ns) FROM charged WHERE charged.machine = machine.machine), 0);
