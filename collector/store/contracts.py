"""What does a store promise, so that callers need not know which one it is?

All methods may be called from any thread. Every call sees what earlier calls have written. A reader sees a
group of rows whole or not at all, even while others write, and never waits for a writer. Whatever fails
raises `StoreError`, and may be retried.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import pyarrow as pa

from collector.columns.joins import Ints, Mask
from collector.columns.keys import Keys, Secret
from collector.model.decisions import Decision
from collector.model.deletions import Counted, Deletion, Doomed, Recorded
from collector.model.dismissals import Dismissal
from collector.store.care import StoreCare

NEVER = 2**64 - 1  # nanoseconds: later than anything that is received


class StoreError(Exception):
    """A write may not be durable, or a read failed."""


class OpenError(Exception):
    """A store that cannot be opened: one line for whoever starts the collector."""


class FolderError(OpenError):
    """The data folder cannot be used; nothing in it was changed."""


class FolderInUseError(FolderError):
    """Another collector uses the data folder."""


class AddressError(OpenError):
    """The address of a server cannot be used. The text shows no password."""


@dataclass(frozen=True)
class Search:
    """Which flows are wanted. All given conditions must hold."""

    # Part of the key, the id, an event type or a service, or the start of a trace id; case does not matter.
    text: str = ""
    states: Sequence[int] = ()  # State; empty: all. Flows that are dismissed count only with `dismissed`
    dismissed: bool = False  # those that stopped and are dismissed; beside *states*, or, without any, alone
    since: int = 0  # nanoseconds: the flow's last activity is later
    before: int = 0  # nanoseconds: the flow's last activity is earlier; 0: whenever it was
    without: Sequence[str] = ()  # ids to leave out, as they are shown from elsewhere
    waiting_for: str = ""  # exact name of the service that owes it something; only flows in memory know that
    begun_since: int = 0  # nanoseconds: its first span was received then or later


class Known(NamedTuple):
    """What a stored flow knows of itself, whether or not its spans are still there."""

    begun: int  # when its first span was received, nanoseconds; 0: unknown
    traces: frozenset[bytes]  # 16 bytes each


class Day(NamedTuple):
    """The spans that were received on one day, in UTC: retention drops them all at once."""

    number: int  # days since 1970-01-01
    spans: int  # copies
    bytes: int  # on the disk


class Room(NamedTuple):
    """The disk that a store writes to, in bytes."""

    free: int
    total: int


class Place(NamedTuple):
    """A place in the list of all flows, the same whether a flow is in memory or stored."""

    rank: int  # 0: stuck or failed, 1: late, 2: running, 3: done
    last: int  # the flow's last activity
    id: str


def begins_trace_id(text: str) -> bool:
    """Whether *text* could be the beginning of a trace id in hex."""
    return 2 <= len(text) <= 32 and set(text.lower()) <= set("0123456789abcdef")


class SpanStore(Protocol):
    """All spans ever received.

    A span is identified by its trace id and span id. Exporters resend a batch when they miss its answer, so a
    span may be written any number of times. If its copies differ, one rule decides which copy counts: the one
    that ended last; among those, the one that started last; among those, the one received first. Stitching
    uses the same rule (`stitching.distinct`), so memory and store always show the same copy.
    """

    def write(self, spans: pa.Table) -> None:
        """Return once *spans* (SPANS) are durable. An empty table is not an error.

        The caller makes sure that no two copies of a span have the same `received_unix_nano`.
        """

    def spans_of(self, trace_ids: Iterable[bytes]) -> pa.Table:
        """The spans (SPANS) of these traces (16 bytes each), deduplicated, in no particular order.

        An unknown trace gives no spans and no error: retention may have removed it between the search and the
        click.
        """

    def spans_since(self, received_unix_nano: int, limit: int) -> pa.Table:
        """All copies of spans (SPANS) received after that time, in order of arrival.

        About *limit* of them: all that were received in the same instant as the last one are included, so the
        next call can continue from its time.
        """

    def ids_since(self, received_unix_nano: int, limit: int) -> pa.Table:
        """(trace_id, span_id) of at most *limit* copies received after that time, latest first."""

    def arrival_of_newest(self, limit: int, since: int, until: int = NEVER) -> int:
        """The time to give to `spans_since` for the newest *limit* copies, going back to *since* at most.

        It is one nanosecond before the oldest of them; *since* if there are none. What was received after
        *until* does not count: the clock was wrong.
        """

    def prove(self) -> None:
        """Store a span of our own, find it again, and remove it; raise `StoreError` if one of these fails.

        Nobody else ever sees it, and nothing of it is left.
        """

    def span_count(self) -> int:
        """How many distinct spans there are."""


class FlowStore(Protocol):
    """Flows that were evicted from memory, or that stopped: one row of STORED_FLOWS per id.

    The row written last counts, even if the clock was set back meanwhile. Every method that returns or counts
    flows takes a running or late flow for stuck from its `stuck_from` on, by the store's clock.
    """

    def put(
        self, flows: pa.Table, state: Ints, taught: Mask, stuck_from: Ints | None = None, *, only_new: bool
    ) -> None:
        """Store *flows* (FLOWS) durably. A stored flow of that id is replaced or, with *only_new*, stays.

        *stuck_from* is when each running or late flow becomes stuck, in nanoseconds since the epoch; 0 is
        never.
        """

    def forget(self, ids: Sequence[str]) -> None:
        """Remove the flows with these ids, which are part of others now. Unknown ids are ignored."""

    def offer(self, ids: Keys, trace_ids: pa.Array) -> None:
        """Store durably, for each of *ids*, the trace that leads to the flow with this message."""

    def offering(self, ids: Keys) -> pa.Array:
        """The traces (16 bytes each) that lead to the flows of the messages with *ids*."""

    def refuse(self, keys: Sequence[str]) -> None:
        """Store durably that these are not flow keys."""

    def refused_keys(self) -> list[str]:
        """The keys that were refused as flow keys."""

    def fetch(self, trace_ids: pa.Array, flow_keys: pa.Array) -> tuple[dict[str, Known], pa.Table]:
        """The stored flows with these keys or traces, by id, and SPANS of all traces, given and theirs."""

    def named(self, name: str) -> pa.Table:
        """The STORED_FLOWS row with this key, id or trace id (hex); no row if there is none."""

    def done_among(self, ids: Sequence[str], done: int) -> list[str]:
        """Those of *ids* whose flow is stored in the state *done*."""

    def examples(self, before: int, each: int = 200, limit: int = 4_000, begun_since: int = 0) -> pa.Table:
        """The newest STORED_FLOWS that taught and were received by then, and not begun before *begun_since*.

        At most *each* with the same outcome and the same last event type, and at most *limit* in all.
        """

    def newest_names(self, before: int, limit: int) -> tuple[pa.ChunkedArray, pa.Array]:
        """The keys and the trace ids of the newest *limit* flows received by that time."""

    def unfinished(self, limit: int) -> pa.Table:
        """STORED_FLOWS that are stuck or failed as far as the store knows, newest first."""

    def found(self, search: Search, limit: int, after: Place | None = None) -> pa.Table:
        """STORED_FLOWS that match *search* and follow *after* in the list: stuck first, then the newest."""

    def counts(self, search: Search) -> dict[int, int]:
        """How many flows match *search*, by state."""

    def counts_apart(self, search: Search) -> dict[tuple[int, bool], int]:
        """How many flows match *search*, by state and whether they are dismissed."""

    def newest(self, since: int, limit: int) -> pa.Table:
        """The newest *limit* STORED_FLOWS with any activity after *since*."""


class DecisionStore(Protocol):
    """Everything that people said about what is expected. Nothing of it is ever replaced or removed."""

    def write(self, decision: Decision) -> None:
        """Return once *decision* is durable, beside all earlier ones, even equal ones.

        If it is retried after an error, it may be there twice, which means the same as once.
        """

    def all(self) -> list[Decision]:
        """All decisions, oldest first; those of one instant in the order in which they were written."""


class RetentionStore(Protocol):
    """What is kept, for how long. What it removes is gone for good, but never seen half removed by a query.

    The keys that were refused as flow keys, and what people said, are never removed: a key that is believed
    again would join its flows again, and a person's word has no date at which it ends. Both are few.
    """

    def days(self) -> list[Day]:
        """The days that have spans, oldest first."""

    def size(self) -> int:
        """The bytes on the disk of all that is stored."""

    def room(self) -> Room:
        """The disk that is written to."""

    def oldest(self) -> int:
        """When the oldest span that is kept was received, nanoseconds; 0 if there is none."""

    def drop_day(self, number: int) -> None:
        """Remove all spans of this day. A day without spans is not an error."""

    def forget_ids(self, before: int) -> None:
        """Remove message ids that were stored before then, when the oldest day that is kept began.

        An id is stored after the last span of its flow was received, so it leads to nothing any more.
        """

    def oldest_flow(self) -> int:
        """When the oldest row of a flow was stored, nanoseconds; 0 if there is none."""

    def forget_flows(self, before: int) -> None:
        """Remove the rows of flows that were stored before then, for the last time, nanoseconds."""


class DismissalStore(Protocol):
    """Everything that people said about flows that had stopped. Nothing of it is ever replaced.

    `FlowStore` looks here for `Search.dismissed`: a flow is dismissed if it is stuck or failed, and its
    `received` is not after the `until` of the newest word on it.
    """

    def write(self, said: Dismissal, flows: Sequence[str], until: Ints) -> None:
        """Return once *said* is durable, with the ids of the *flows* that it is about; whole or not at all.

        *until* is when the last span of each was received, nanoseconds since the epoch; -1 for "undo". The
        caller makes sure that `said.at` rises.
        """

    def said(self) -> list[Dismissal]:
        """All words, oldest first."""

    def standing(self) -> pa.Table:
        """STANDING: the newest word on each flow, in no particular order; also those that were taken back."""

    def count(self) -> int:
        """How many words on flows are stored, one for each flow of each."""

    def forget_gone(self, before: int) -> None:
        """Remove the words said before that time on flows that are stored no more."""


class DeletionStore(Protocol):
    """What people had deleted, and the work of it. A record says what was meant, never what was in it.

    The methods that take a `Deletion` may take minutes, and may be called again from the start if they were
    interrupted. None of them holds up others that read or write.
    """

    def write(self, recorded: Recorded) -> None:
        """Return once *recorded* is durable, beside all earlier ones."""

    def records(self) -> list[Recorded]:
        """All records, by deletion, each from its beginning to its end."""

    def doom(self, deletion: Deletion, spans: pa.Table) -> None:
        """Return once it is durable that *deletion*, of a flow, is about these spans (trace_id, span_id)."""

    def doomed(self, deletion: Deletion) -> Doomed:
        """The spans of *deletion*."""

    def count(self, deletion: Deletion) -> Counted:
        """What *deletion* would remove, changing nothing."""

    def mark(self, deletion: Deletion) -> None:
        """Return once it is durable which traces lose spans to *deletion*."""

    def cut_traces(self, deletion: int, limit: int) -> pa.Array:
        """At most *limit* of the traces (16 bytes each) that were marked for this deletion."""

    def cuts_of(self, trace_ids: Iterable[bytes]) -> list[int]:
        """The ids of the deletions for which any of these traces was marked, oldest first."""

    def remove_spans(self, deletion: Deletion, stop: Callable[[], bool]) -> None:
        """Remove the spans of *deletion*: no reader sees them any more. They leave the disk minutes later.

        Return early when *stop* says so.
        """

    def flows_of(self, deletion: Deletion, after: str, limit: int) -> pa.Table:
        """(id, traces, state, begun) of *limit* stored flows with a marked trace, by id from *after* on."""

    def newest_flow(self) -> int:
        """A number that every row of a flow that is stored later exceeds."""

    def remove_leftovers(self, deletion: Deletion, stored_by: int, stop: Callable[[], bool]) -> None:
        """Remove all rows of the flows of *deletion* that newer ones replaced, of those stored by then."""


class FactStore(Protocol):
    """What brokers reported, and when. No methods yet: the first reader of a broker adds them."""


@dataclass(frozen=True)
class Stores:
    """The stores of one collector, over connections of their own, so that no other user can block them."""

    spans: SpanStore
    flows: FlowStore
    decisions: DecisionStore
    dismissals: DismissalStore
    deletions: DeletionStore


class OpenStore(Protocol):
    """An open store."""

    @property
    def place(self) -> str:
        """Where it is, without secrets, so that it may be shown."""

    @property
    def secret(self) -> Secret:
        """The secret of the keys that are stored in it."""

    @property
    def care(self) -> StoreCare | None:
        """What takes care of it; None if that is the business of a server."""

    def stores(self) -> Stores:
        """Stores over connections of their own."""

    def require_there(self) -> None:
        """Raise `StoreError` if the folder was moved or removed since it was opened. Quick."""

    def retention(self) -> RetentionStore:
        """What removes from these stores, over connections of its own."""

    def close(self) -> None:
        """Close all connections, and release the folder if there is one."""
