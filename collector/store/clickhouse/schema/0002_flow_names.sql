-- Adds: flows.names, flows.stuck_from
-- Only databases from before flows had them lack these columns.
ALTER TABLE flows ADD COLUMN IF NOT EXISTS names LowCardinality(String) AFTER incomplete;
ALTER TABLE flows ADD COLUMN IF NOT EXISTS stuck_from Int64 AFTER taught;
