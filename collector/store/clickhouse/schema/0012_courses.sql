-- Adds: flows.course, flows.paces
-- Which course a flow took, and how long each of its reactions waited and worked: see model/courses.py. Rows that are
-- older than these columns say neither.
ALTER TABLE flows ADD COLUMN IF NOT EXISTS course LowCardinality(String) AFTER variant;
ALTER TABLE flows ADD COLUMN IF NOT EXISTS paces Array(UInt16) AFTER course;
