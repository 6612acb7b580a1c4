-- Adds: deletions, cut_traces, doomed_spans

-- What people had deleted: one row when a deletion began, and one when it was done or had failed. No row is ever
-- replaced, and none says what was in the spans.
CREATE TABLE IF NOT EXISTS deletions
(
    id               Int64,
    event            LowCardinality(String),
    at_unix_nano     Int64,
    until            Int64,
    service          String,
    before           Int64,
    flow             String,
    author           String,
    reason           String,
    spans            UInt64,
    flows            UInt64,
    error            String
)
ENGINE = MergeTree
ORDER BY (id, at_unix_nano)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- The traces of which a deletion took spans: what is owed in their flows may be owed only because of that.
CREATE TABLE IF NOT EXISTS cut_traces
(
    trace_id FixedString(16),
    deletion Int64
)
ENGINE = ReplacingMergeTree
ORDER BY (trace_id, deletion)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- The spans of the flow that a deletion is about; kept until it is done.
CREATE TABLE IF NOT EXISTS doomed_spans
(
    deletion Int64,
    trace_id FixedString(16),
    span_id  FixedString(8)
)
ENGINE = ReplacingMergeTree
ORDER BY (deletion, trace_id, span_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
