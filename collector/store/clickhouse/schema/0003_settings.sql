-- Adds: settings

-- What the store remembers about itself, such as the secret of the keys in message_ids. The row written last counts.
CREATE TABLE IF NOT EXISTS settings
(
    name             String,
    value            String,
    stored_unix_nano UInt64
)
ENGINE = ReplacingMergeTree(stored_unix_nano)
ORDER BY name
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
