"""What is known of the services whose spans arrived, apart from what their spans tell of flows."""

import pyarrow as pa

SENDERS = pa.schema(
    [
        ("service", pa.string()),
        ("resource", pa.binary()),  # its newest one
        ("first", pa.uint64()),  # when the first and the newest of its spans were received, nanoseconds
        ("last", pa.uint64()),
        ("pause_s", pa.int64()),  # the longest time between two of them: whole minutes, in seconds
        ("median_s", pa.float64()),  # from the end of a span until it was received,
        ("delay_s", pa.float64()),  # and the 99th percentile of that
    ]
)
