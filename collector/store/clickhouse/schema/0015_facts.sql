-- Adds: facts

-- What brokers reported, and when; the columns are those of model/facts.py. A fact that is read twice, such as an
-- advisory that was kept while the collector was away, is one row.
CREATE TABLE IF NOT EXISTS facts
(
    at          Int64 CODEC(Delta, LZ4),
    broker      LowCardinality(String),
    kind        LowCardinality(String),
    stream      LowCardinality(String),
    consumer    LowCardinality(String),
    subject     String,
    sequence    Int64,
    connection  String,
    said        String,
    valid_from  Int64,
    valid_until Int64
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMMDD(fromUnixTimestamp64Nano(at, 'UTC'))
ORDER BY (at, broker, kind, stream, consumer, sequence, connection)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, concurrent_part_removal_threshold = 1000000;
