-- when each of the words arrived here
ALTER TABLE machine ADD COLUMN status_ns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE machine ADD COLUMN reported_ns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE machine ADD COLUMN stock_ns INTEGER NOT NULL DEFAULT 0;
