"""What do lists show and the store keep of a flow? The flow table, one row per flow, and flow states."""

from enum import IntEnum
from typing import cast

import pyarrow as pa

from collector.model.answers import StateWord

FLOWS = pa.schema(
    [
        ("id", pa.string()),  # the flow key; without one, the trace id of its first span
        ("key", pa.string()),  # null without one
        ("traces", pa.list_(pa.binary(16))),
        ("started", pa.int64()),  # nanoseconds since the epoch
        ("last", pa.int64()),  # the latest time of anything in it, except replays
        ("received", pa.int64()),  # when its last span was received
        (
            "begun",
            pa.int64(),
        ),  # when its first span was received, kept or not; 0 in rows of before this column
        ("last_event_type", pa.string()),
        ("last_service", pa.string()),
        ("outcome", pa.string()),  # the event type that ended it; null until then
        ("messages", pa.int32()),
        ("reactions", pa.int32()),
        ("wait_ms", pa.float64()),  # sum over its reactions, from publish to start
        ("work_ms", pa.float64()),  # sum over its reactions, from start to end
        ("incomplete", pa.bool_()),  # some of its telemetry was lost
        ("names", pa.string()),  # its event types and services, one per line, for searching
        ("failures", pa.string()),  # the services of reactions that failed, one per line
        ("variant", pa.uint64()),  # see `model.variant_ids`; 0 in rows of before this column
    ]
)

# Made once: a schema takes a millisecond to make an empty table.
NO_FLOWS = FLOWS.empty_table()

STORED_FLOWS = pa.schema(
    [
        *FLOWS,
        ("state", pa.uint8()),
        ("taught", pa.bool_()),
        ("set_aside", pa.bool_()),  # too large to be judged: nobody knows what it waits for
    ]
)
SET_ASIDE = -1  # what `FlowStore.put` takes in place of a time from which a flow is stuck


class State(IntEnum):
    """The states of a flow, from best to worst."""

    DONE = 0
    RUNNING = 1
    LATE = 2
    STUCK = 3
    FAILED = 4

    @property
    def word(self) -> StateWord:
        """Its name in answers."""
        return cast("StateWord", self.name.lower())
