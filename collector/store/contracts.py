"""What a store promises, so that no caller depends on which one it is.

All methods may be called from any thread. What one call has written, every later call sees, also while others
write: a reader sees a group of rows whole or not at all, and is never made to wait for a writer. Whatever can
not be done raises `StoreError`, and may be tried again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import pyarrow as pa

from collector.columns.joins import Ints, Mask
from collector.columns.keys import Keys, Secret


class StoreError(Exception):
    """What was to be stored may not be durable, or what was asked for cannot be read."""


@dataclass(frozen=True)
class Search:
    """Which flows are wanted. Every part that is given must hold."""

    text: str = ""  # in the key, the id, an event type or a service of it, or the start of a trace id
    states: Sequence[int] = ()  # State; none: all
    since: int = 0  # nanoseconds: the flow's last activity
    without: Sequence[str] = ()  # ids that are shown from elsewhere
    waiting_for: str = ""  # the service, in full, that owes it something; only flows in memory know that


class Place(NamedTuple):
    """A place in the list of all flows. It is the same wherever a flow is kept."""

    rank: int  # 0: stuck or failed, 1: late, 2: running, 3: done
    last: int  # the flow's last activity
    id: str


def begins_trace_id(text: str) -> bool:
    """Whether *text* could be the beginning of a trace id in hex."""
    return 2 <= len(text) <= 32 and set(text.lower()) <= set("0123456789abcdef")


class SpanStore(Protocol):
    """All spans ever received.

    A span is known by its trace id and span id. Exporters send a batch again when they miss its answer, so a
    span may be written any number of times. If its copies differ, one rule decides which of them is the span:
    the copy that ended last; of those the one that started last; of those the one received first. Stitching
    has the same rule (`stitching.distinct`), so memory and store always show the same copy.
    """

    def write(self, spans: pa.Table) -> None:
        """Return once *spans* (SPANS) are durable. No rows: no error.

        Of one span at most one copy has the same `received_unix_nano`.
        """

    def spans_of(self, trace_ids: Iterable[bytes]) -> pa.Table:
        """SPANS of these traces (16 bytes each), each span once, in no particular order.

        An unknown trace gives no spans and no error: retention may have removed it between the search and
        the click.
        """

    def spans_since(self, received_unix_nano: int, limit: int) -> pa.Table:
        """SPANS received after that time, in the order of their arrival, every copy.

        About *limit* of them: those received in the same instant as the last one are here too, so the last
        one's time is where to go on.
        """

    def ids_since(self, received_unix_nano: int, limit: int) -> pa.Table:
        """(trace_id, span_id) of at most *limit* copies received after that time, latest first."""

    def arrival_of_newest(self, limit: int, since: int) -> int:
        """One nanosecond before the oldest of the newest *limit* copies that came after *since*; else *since*."""

    def span_count(self) -> int:
        """How many distinct spans there are."""


class FlowStore(Protocol):
    """Flows that left the memory, or stopped: one row of STORED_FLOWS for each id.

    The row written last is the flow, whatever the clock says meanwhile.
    """

    def put(
        self, flows: pa.Table, state: Ints, taught: Mask, stuck_from: Ints | None = None, *, only_new: bool
    ) -> None:
        """Keep *flows* (FLOWS) durably; a flow of the same id is replaced or, with *only_new*, stays.

        *stuck_from* is when each that runs or is late will be stuck, in nanoseconds since the epoch; 0 is never.
        """

    def forget(self, ids: Sequence[str]) -> None:
        """Remove the flows of these ids: they are part of others now. Unknown ids are passed over."""

    def offer(self, ids: Keys, trace_ids: pa.Array) -> None:
        """Keep durably which trace leads to the flow that has a message of each of *ids*."""

    def offering(self, ids: Keys) -> pa.Array:
        """The traces (16 bytes each) that lead to the flows of the messages with *ids*."""

    def refuse(self, keys: Sequence[str]) -> None:
        """Remember durably that these are no flow keys."""

    def refused_keys(self) -> list[str]:
        """The flow keys that were found to be none."""

    def fetch(self, trace_ids: pa.Array, flow_keys: pa.Array) -> tuple[list[str], pa.Table]:
        """The ids of the kept flows with these keys or traces, and SPANS of all traces of both."""

    def named(self, name: str) -> pa.Table:
        """STORED_FLOWS with this key, id or trace id (hex); no row where there is none."""

    def done_among(self, ids: Sequence[str], done: int) -> list[str]:
        """Those of *ids* whose flow is here in the state *done*."""

    def examples(self, before: int, each: int = 200, limit: int = 4_000) -> pa.Table:
        """STORED_FLOWS that taught and were received before that time: of each outcome the newest."""

    def newest_names(self, before: int, limit: int) -> tuple[pa.ChunkedArray, pa.Array]:
        """The keys and the trace ids of the newest *limit* flows that were received before that time."""

    def unfinished(self, limit: int) -> pa.Table:
        """STORED_FLOWS that are stuck or failed, as far as is known here, the newest first."""

    def found(self, search: Search, limit: int, after: Place | None = None) -> pa.Table:
        """STORED_FLOWS that *search* asks for: stuck first, then the newest; those behind *after*."""

    def counts(self, search: Search) -> dict[int, int]:
        """How many flows *search* would find, by state."""

    def newest(self, since: int, limit: int) -> pa.Table:
        """STORED_FLOWS whose last activity was after *since*, the newest *limit*."""


class FactStore(Protocol):
    """What brokers said, and when. It has no method yet: the first reader of a broker brings them."""


@dataclass(frozen=True)
class Stores:
    """The stores of one collector over connections of their own: who uses them waits for nobody else."""

    spans: SpanStore
    flows: FlowStore


class OpenStore(Protocol):
    """A store that is open."""

    @property
    def place(self) -> str:
        """Where it is, as it may be shown: without any secret."""

    @property
    def secret(self) -> Secret:
        """The secret of the keys that are kept in it."""

    def stores(self) -> Stores:
        """Stores over connections of their own."""

    def close(self) -> None:
        """Close all connections, and give the place free."""
