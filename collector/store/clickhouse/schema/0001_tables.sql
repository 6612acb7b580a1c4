-- Adds: spans, flows, refused_keys, message_ids

-- One row per copy of a span. The columns have the names and the meaning of those in model/spans.py. Rows with
-- equal (trace_id, span_id) are copies of one span; store/contracts.py says which of them counts.
-- Merged parts are removed in one thread: from 100 of them on, the engine would start 113 threads, and keep them.
CREATE TABLE IF NOT EXISTS spans
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
-- Retention drops whole days of arrival.
PARTITION BY toYYYYMMDD(fromUnixTimestamp64Nano(toInt64(received_unix_nano), 'UTC'))
-- In order of arrival, a merge appends whole blocks. In order of traces, it picked rows one by one from all its
-- parts, which was a sixth of the total cost of a span. Traces are found by the index above.
ORDER BY received_unix_nano
-- Groups are small compared with a day of spans. If merges wait for more parts, each span is written about twice
-- instead of three or four times, which saves a tenth of its total cost.
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, concurrent_part_removal_threshold = 1000000, merge_selector_base = 20;

-- One row per flow that was evicted (or is stuck, so that a restart finds it again). The columns are those of
-- model/flows.py, with an empty string in place of null. The row with the highest stored_unix_nano counts; its
-- state is 255 if the flow became part of another. The index finds the flow that a late span's trace belongs to.
-- A row is settled if it was the first of its flow, and the flow was done. Nearly all are. What else there is, flows
-- that had not ended and rows that replace others, has a partition of its own, because only there is the newest row of
-- a flow to be looked for: FINAL compared all rows of the table, for each list and each count. A settled row counts
-- unless a row of the other partition has its id, and says that it replaces it.
-- Lists begin with what was active last, and many are about a few minutes: settled rows lie in that order, so that only
-- their newest are read, and a merge appends whole blocks. The others, of which `place` is 0, lie by id: a row that
-- replaces another meets it in a merge. A page has fifty rows, a flow one: of fewer rows at a time less is read in vain.
CREATE TABLE IF NOT EXISTS flows
(
    id               String,
    key              String,
    traces           Array(FixedString(16)),
    started          Int64 CODEC(Delta, LZ4),
    last             Int64 CODEC(Delta, LZ4),
    received         Int64 CODEC(Delta, LZ4),
    last_event_type  LowCardinality(String),
    last_service     LowCardinality(String),
    outcome          LowCardinality(String),
    messages         Int32,
    reactions        Int32,
    wait_ms          Float64,
    work_ms          Float64,
    incomplete       Bool,
    names            LowCardinality(String),
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

-- Keys that too many flows carried for them to name one. They are never believed again.
CREATE TABLE IF NOT EXISTS refused_keys
(
    key String
)
ENGINE = ReplacingMergeTree
ORDER BY key
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- The ids of messages in evicted flows, for spans that ask for them later: a key of the id, and the trace of the
-- flow's first span.
CREATE TABLE IF NOT EXISTS message_ids
(
    id       UInt64,
    trace_id FixedString(16)
)
ENGINE = ReplacingMergeTree
ORDER BY (id, trace_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, concurrent_part_removal_threshold = 1000000;
