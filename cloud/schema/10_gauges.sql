-- the last JSON of the retained topic, and when it arrived here
ALTER TABLE machine ADD COLUMN health TEXT;
ALTER TABLE machine ADD COLUMN health_ns INTEGER NOT NULL DEFAULT 0;
