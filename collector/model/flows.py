"""The flow table, one row a flow, as lists show it and the store keeps it; and the states of a flow."""

from enum import IntEnum
from typing import cast

import pyarrow as pa

from collector.model.answers import StateWord

FLOWS = pa.schema(
    [
        ("id", pa.string()),  # the flow key, or without one the trace id of its first span
        ("key", pa.string()),  # null without one
        ("traces", pa.list_(pa.binary(16))),
        ("started", pa.int64()),  # nanoseconds since the epoch
        ("last", pa.int64()),  # of the latest thing in it, except what was read again long after
        ("received", pa.int64()),  # when its last span came
        ("last_event_type", pa.string()),
        ("last_service", pa.string()),
        ("outcome", pa.string()),  # the event type that ended it; null while none has
        ("messages", pa.int32()),
        ("reactions", pa.int32()),
        ("wait_ms", pa.float64()),  # over its reactions: from the publish to the start
        ("work_ms", pa.float64()),  # over its reactions: from the start to the end
        ("incomplete", pa.bool_()),  # telemetry of it was lost
        ("names", pa.string()),  # its event types and services, one a line: what a search looks through
    ]
)

STORED_FLOWS = FLOWS.append(pa.field("state", pa.uint8())).append(pa.field("taught", pa.bool_()))


class State(IntEnum):
    """The states of a flow, the worse the higher."""

    DONE = 0
    RUNNING = 1
    LATE = 2
    STUCK = 3
    FAILED = 4

    @property
    def word(self) -> StateWord:
        """As it is written in answers."""
        return cast("StateWord", self.name.lower())
