-- Adds: flows.place
-- Removes: flows_copied
-- Databases that are older get the order of 0001: their flows are copied. If that is interrupted, it is begun again.
DROP TABLE IF EXISTS flows_copied SYNC;
CREATE TABLE IF NOT EXISTS flows_copied
(
    id               String,
    key              String,
    traces           Array(FixedString(16)),
    started          Int64 CODEC(Delta, LZ4),
    last             Int64 CODEC(Delta, LZ4),
    received         Int64 CODEC(Delta, LZ4),
    begun            Int64 CODEC(Delta, LZ4),
    last_event_type  LowCardinality(String),
    last_service     LowCardinality(String),
    outcome          LowCardinality(String),
    messages         Int32,
    reactions        Int32,
    wait_ms          Float64,
    work_ms          Float64,
    incomplete       Bool,
    names            LowCardinality(String),
    failures         LowCardinality(String),
    variant          UInt64,
    course           LowCardinality(String),
    paces            Array(UInt16),
    state            UInt8,
    taught           Bool,
    stuck_from       Int64 CODEC(Delta, LZ4),
    stored_unix_nano UInt64 CODEC(Delta, LZ4),
    settled          Bool,
    replaces         Bool,
    place            Int64 CODEC(Delta, LZ4),
    INDEX by_trace traces TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_id id TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(stored_unix_nano)
PARTITION BY settled
ORDER BY (place, id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, concurrent_part_removal_threshold = 1000000, index_granularity = 1024;
INSERT INTO flows_copied SELECT
    id, key, traces, started, last, received, begun, last_event_type, last_service, outcome, messages, reactions,
    wait_ms, work_ms, incomplete, names, failures, variant, course, paces, state, taught, stuck_from, stored_unix_nano,
    settled, replaces, if(settled, last, 0)
FROM flows;
EXCHANGE TABLES flows_copied AND flows;
DROP TABLE IF EXISTS flows_copied SYNC;
