"""What does a span say about messaging? One row per span, with only what stitching reads."""

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
        ("well", pa.bool_()),  # its status is OK, which is believed whatever else is said
        ("error", pa.string()),  # its status message if it failed; null otherwise
        ("quotable", pa.bool_()),  # whether answers may quote it: no rule hides what it may repeat
        ("final", pa.bool_()),  # its broker does not redeliver: a failure is final
        ("request", pa.bool_()),  # it publishes and waits for a reply
        ("serves", pa.bool_()),  # it answers a call
        ("service", WORD),
        ("group", WORD),  # consumer group, or else the service; null unless it consumes
        ("handler", WORD),  # the span name of a consumer without a group, to tell it from others
        ("event_type", WORD),  # null unless it is a messaging span
        ("general", pa.bool_()),  # an id or a generated word was left out of its event type
        ("typed", pa.bool_()),  # its sender wrote the event type; others have a destination or a name for it
        ("destination", WORD),
        ("system", WORD),
        ("message_id", pa.string()),  # as its sender set it; null on a batch, and on most spans
        ("event_id", pa.string()),  # of the event inside the message, if it has its own id
        ("record", pa.string()),  # the place that its broker gave it: partition and offset, stream and number
        ("delivery_tag", pa.string()),  # names one delivery on one channel: a redelivery has another
        ("several", pa.bool_()),  # it publishes several messages, which all carry its context
        ("conversation", pa.string()),  # shared by messages that caused one another
        ("causation", pa.string()),  # the id of the message, or of the event, that caused this one
        ("flow_key", WORD),
        ("settled", pa.uint8()),  # Settled, as a settle or the handling itself reports it
        ("instance", pa.string()),  # service.instance.id, on the announcement of a handling; null elsewhere
        ("deliveries", pa.uint16()),  # delivery number of its message; 0 if unknown
        ("link_trace_ids", pa.list_(pa.binary(16))),
        ("link_span_ids", pa.list_(pa.binary(8))),
        ("dropped_links", pa.uint32()),
    ]
)

# Made once: a schema takes a millisecond to make an empty table.
NO_READINGS = READINGS.empty_table()


class Role(IntEnum):
    """What a span does with messages."""

    NONE = 0
    CREATE = 1
    SEND = 2
    RECEIVE = 3
    PROCESS = 4
    SETTLE = 5
    REPLY = 6  # answers a request, on an inbox that only the requester reads
    ANSWERED = 7  # receives such a reply
    STARTED = 8  # announces a handling, and links to its span, which is sent when the handling ends
    FETCH = 9  # fetches messages that are handled in other spans; neither a handling nor a parent of one
    # From log records, below the span that they name:
    REPORT = 10  # tells of that span, such as that it failed
    RECORDED = 11  # tells of an event: a message, unless that span is about the same event


class Settled(IntEnum):
    """How a message was settled."""

    UNSAID = 0  # not settled, or settled in an unknown way
    ACKED = 1
    NACKED = 2
    TERMINATED = 3
