-- Adds: listening

-- When the collector listened without a pause: one row for each of its lives, and after each pause. While it listens,
-- the row is written again and again with a later `until`; the latest counts.
CREATE TABLE IF NOT EXISTS listening
(
    since UInt64,
    until UInt64
)
ENGINE = ReplacingMergeTree(until)
ORDER BY since
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
