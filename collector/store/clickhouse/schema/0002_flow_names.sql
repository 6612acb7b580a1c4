-- Adds: flows.names, flows.stuck_from
-- Only databases that are older than these columns lack them.
ALTER TABLE flows ADD COLUMN IF NOT EXISTS names LowCardinality(String) AFTER incomplete;
ALTER TABLE flows ADD COLUMN IF NOT EXISTS stuck_from Int64 AFTER taught;
