-- Adds: dismissals, dismissed_flows

-- What people said about flows that had stopped: one row per word, "dismiss" or "undo". No row is ever replaced.
-- at_unix_nano always rises, and names the word.
CREATE TABLE IF NOT EXISTS dismissals
(
    at_unix_nano Int64,
    word         LowCardinality(String),
    incident     String,
    author       String,
    reason       String
)
ENGINE = MergeTree
ORDER BY at_unix_nano
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- The flows of each word. They are written first: without its row in dismissals, a word was not said. A flow is
-- dismissed as long as its last span was received by `until`; -1 takes its dismissal back.
CREATE TABLE IF NOT EXISTS dismissed_flows
(
    flow         String,
    until        Int64,
    at_unix_nano Int64
)
ENGINE = MergeTree
ORDER BY (flow, at_unix_nano)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
