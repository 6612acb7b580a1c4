-- Adds: flows.failures, flows.variant
-- Which services' reactions failed, and of which variant a flow is. Rows that are older than these columns say neither.
ALTER TABLE flows ADD COLUMN IF NOT EXISTS failures LowCardinality(String) AFTER names;
ALTER TABLE flows ADD COLUMN IF NOT EXISTS variant UInt64 AFTER failures;
