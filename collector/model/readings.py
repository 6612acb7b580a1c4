"""What a span says in terms of messaging: one row a span, and nothing that stitching does not read."""

from enum import IntEnum

import pyarrow as pa

from collector.columns.dictionary import WORD

READINGS = pa.schema(
    [
        ("trace_id", pa.binary(16)),
        ("span_id", pa.binary(8)),
        ("parent_span_id", pa.binary(8)),
        ("role", pa.uint8()),  # Role
        ("start", pa.int64()),  # nanoseconds since the epoch, by the sender's clock
        ("end", pa.int64()),
        ("received", pa.int64()),  # by the collector's clock
        ("remote", pa.bool_()),  # its parent is in another process
        ("failed", pa.bool_()),  # its status is ERROR
        ("error", pa.string()),  # what its status says of the failure; null without one
        ("final", pa.bool_()),  # its broker does not redeliver: a failure is final
        ("request", pa.bool_()),  # it publishes, and waits for an answer
        ("service", WORD),
        ("group", WORD),  # consumer group, or the service without one; null on what consumes nothing
        ("handler", WORD),  # the name of a consumer without a group: it tells it from others
        ("event_type", WORD),  # null on what is not a messaging span
        ("destination", WORD),
        ("system", WORD),
        ("message_id", pa.string()),  # its sender's; null on a span of several messages, and on most
        ("event_id", pa.string()),  # of the event in the message, where it has one of its own
        ("conversation", pa.string()),  # shared by messages that caused one another
        ("causation", pa.string()),  # the id of the message, or of the event, that caused this one
        ("flow_key", WORD),
        ("settled", pa.uint8()),  # Settled: what a settle says, or a handling says of itself
        ("instance", pa.string()),  # service.instance.id, on the announcement of a handling; null elsewhere
        ("deliveries", pa.uint16()),  # which delivery of its message it is about; 0: not said
        ("link_trace_ids", pa.list_(pa.binary(16))),
        ("link_span_ids", pa.list_(pa.binary(8))),
        ("dropped_links", pa.uint32()),
    ]
)


class Role(IntEnum):
    """What a span does with messages."""

    NONE = 0
    CREATE = 1
    SEND = 2
    RECEIVE = 3
    PROCESS = 4
    SETTLE = 5
    REPLY = 6  # answers a request, to an inbox that only the asker listens to
    ANSWERED = 7  # receives such an answer
    STARTED = 8  # announces a handling; the handling's own span, which this one links to, comes when it ends
    FETCH = 9  # fetches messages whose handlings have spans of their own: no handling, and no parent of any


class Settled(IntEnum):
    """How a message was settled."""

    UNSAID = 0  # not settled or, of a settle, nobody says how
    ACKED = 1
    NACKED = 2
    TERMINATED = 3
