-- Adds: proofs

-- Spans of the collector's own, by which it proves that spans can be stored and found: each is removed at once. The
-- columns are those of spans, in a table beside it, so that no question about spans ever sees one.
CREATE TABLE IF NOT EXISTS proofs
(
    trace_id           FixedString(16),
    span_id            FixedString(8),
    parent_span_id     FixedString(8),
    name               LowCardinality(String),
    kind               UInt8,
    start_unix_nano    UInt64 CODEC(Delta, LZ4),
    end_unix_nano      UInt64 CODEC(Delta, LZ4),
    status_code        UInt8,
    status_message     String,
    service            LowCardinality(String),
    attribute_keys     Array(LowCardinality(String)),
    attribute_types    Array(UInt8),
    attribute_values   Array(String),
    link_trace_ids     Array(FixedString(16)),
    link_span_ids      Array(FixedString(8)),
    link_attributes    Array(Array(String)),
    events             Array(String),
    dropped_attributes UInt32,
    dropped_events     UInt32,
    dropped_links      UInt32,
    trace_state        LowCardinality(String),
    flags              UInt32,
    resource           LowCardinality(String),
    scope              LowCardinality(String),
    received_unix_nano UInt64 CODEC(Delta, LZ4),
    INDEX by_trace trace_id TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(fromUnixTimestamp64Nano(toInt64(received_unix_nano), 'UTC'))
ORDER BY received_unix_nano
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
