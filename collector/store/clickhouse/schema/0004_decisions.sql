-- Adds: decisions

-- What people said about what is expected: one row per word. No row is ever replaced. Words of one instant are in the
-- order of stored_unix_nano, which always rises.
CREATE TABLE IF NOT EXISTS decisions
(
    at_unix_nano     Int64,
    word             LowCardinality(String),
    event_type       String,
    service          String,
    author           String,
    reason           String,
    stored_unix_nano UInt64
)
ENGINE = MergeTree
ORDER BY (at_unix_nano, stored_unix_nano)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
