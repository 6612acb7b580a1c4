"""What does a store promise, so that callers need not know which one it is?

All methods may be called from any thread. Every call sees what earlier calls have written. A reader sees a
group of rows whole or not at all, even while others write, and never waits for a writer. Whatever fails
raises `StoreError`, and may be retried.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import pyarrow as pa

from collector.columns.joins import Ints, Mask
from collector.columns.keys import Keys, Secret
from collector.model.conditions import BY_STATE, Condition, Mentions, Name, Order
from collector.model.decisions import Decision
from collector.store.care import StoreCare
from collector.store.removal import DeletionStore, DismissalStore, RetentionStore
from collector.store.reported import FactStore

NEVER = 2**64 - 1  # nanoseconds: later than anything that is received

# Of spans: where each lies among those of a flow.
PLACES = pa.schema([("start_unix_nano", pa.uint64()), ("trace_id", pa.binary(16)), ("span_id", pa.binary(8))])


class StoreError(Exception):
    """A write may not be durable, or a read failed."""


class TooMuchError(StoreError):
    """A reader's query was stopped, because it took too long or too much memory. Retry only with less."""


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
    stored_by: int | None = None  # the newest version that counts; None: every one
    conditions: Sequence[Condition] = ()  # what else must hold
    order: Order = BY_STATE

    @property
    def all_conditions(self) -> tuple[Condition, ...]:
        """The conditions, of which the text is one."""
        text = (Mentions("text", (Name(self.text, begins=False, ends=False),)),) if self.text else ()
        return (*text, *self.conditions)


class Sample(NamedTuple):
    """Which of many flows are chosen, by their places in an order: so many runs, evenly spread."""

    run: int  # flows that follow one another
    runs: int  # in all flows
    chosen: int  # of them


class Known(NamedTuple):
    """What a stored flow knows of itself, whether or not its spans are still there."""

    begun: int  # when its first span was received, nanoseconds; 0: unknown
    traces: frozenset[bytes]  # 16 bytes each
    received: int = 0  # when the newest span was received that it was stored with, nanoseconds; 0: not asked


class Stretch(NamedTuple):
    """A time in which the collector listened without a pause, in nanoseconds."""

    since: int
    until: int


# By state, what is stuck or failed is listed first.
RANKS = (3, 2, 1, 0, 0)


class Place(NamedTuple):
    """A place in the list of all flows, the same whether a flow is in memory or stored."""

    rank: int | str  # what the list is ordered by: of its state, by RANKS
    last: int  # the flow's last activity
    id: str


class SpanPlace(NamedTuple):
    """A place among the spans of a flow, which lie in the order of their start."""

    start: int  # nanoseconds
    trace_id: bytes
    span_id: bytes


@dataclass(frozen=True)
class Cut:
    """What a span is cut to, so that many of them fit into memory. Times, ids and links stay.

    Of texts and values at most the first *longest* characters remain, or a word about their size. Attributes
    with the names *keep* remain, and the first *most* of the others; events, resources and scopes that are
    longer than *longest* bytes do not, nor what a link says.
    """

    longest: int
    most: int
    keep: Sequence[str]
    links: int = 1_000  # so many remain


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

    def first_of(self, trace_ids: Iterable[bytes], each: int, limit: int, cut: Cut) -> pa.Table:
        """At most *limit* copies of spans (SPANS, *cut*): of each trace, the *each* received first."""

    def few_of(self, trace_ids: Sequence[bytes], most: int) -> pa.Table | None:
        """The spans (SPANS) of these traces, deduplicated; None if there are more than *most* copies.

        Raise `TooMuchError` if those are too large.
        """

    def copies_of(self, trace_ids: Sequence[bytes]) -> int:
        """How many copies of spans there are of these traces. Cheap, for millions of them, too."""

    def count_of(self, trace_ids: Sequence[bytes]) -> int:
        """How many distinct spans these traces have."""

    def count_before(self, trace_ids: Sequence[bytes], place: SpanPlace, *, distinct: bool) -> int:
        """How many spans of these traces come before *place*; without *distinct*, copies count."""

    def part_of(
        self,
        trace_ids: Sequence[bytes],
        limit: int,
        *,
        after: SpanPlace | None = None,
        before: SpanPlace | None = None,
    ) -> pa.Table:
        """PLACES of at most *limit* copies: the first after *after*, or else the last before *before*.

        They are in order. Without both, the last of all. A span has a place for each of its copies; if these
        differ, only that of the copy that counts is right.
        """

    def octets_at(self, trace_ids: Sequence[bytes], places: pa.Table) -> Ints:
        """How many bytes each span at *places* (PLACES) has, about."""

    def spans_at(self, ids: pa.Table, cut: Cut | None = None) -> pa.Table:
        """The spans (SPANS) with these *ids* (trace_id, span_id), deduplicated, in no particular order."""

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

    def senders(self, since: int, limit: int) -> pa.Table:
        """SENDERS among the newest *limit* copies that were received after *since* (nanoseconds)."""

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
        self,
        flows: pa.Table,
        state: Ints,
        taught: Mask,
        stuck_from: Ints | None = None,
        *,
        only_new: bool,
        courses: pa.Table | None = None,
    ) -> None:
        """Store *flows* (FLOWS) durably, and their *courses* (COURSES), if they are known.

        A stored flow of that id is replaced or, with *only_new*, stays.

        *stuck_from* is when each running or late flow becomes stuck, in nanoseconds since the epoch; 0 is
        never, and SET_ASIDE is never because it was set aside.
        """

    def newest_version(self) -> int | None:
        """The version of the row written last, which rises with each; None if the store cannot say."""

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

    def listen(self, stretches: Sequence[Stretch]) -> None:
        """Store durably when the collector listened. What begins like an earlier stretch is that, longer."""

    def listened(self, limit: int) -> list[Stretch]:
        """The newest *limit* of them, in order."""

    def fetch(self, trace_ids: pa.Array, flow_keys: pa.Array) -> tuple[dict[str, Known], pa.Table]:
        """The stored flows with these keys or traces, by id, and SPANS of all traces, given and theirs."""

    def named(self, name: str) -> pa.Table:
        """The STORED_FLOWS row with this key, id or trace id (hex); no row if there is none."""

    def done_among(self, ids: Sequence[str], done: int) -> list[str]:
        """Those of *ids* whose flow is stored in the state *done*."""

    def examples(self, before: int, each: int = 200, limit: int = 4_000, begun_since: int = 0) -> pa.Table:
        """(id, traces) of the newest that taught and were received by then, not begun before *begun_since*.

        At most *each* with the same outcome and the same last event type, and at most *limit* in all.
        """

    def together(self, limit: int) -> list[tuple[frozenset[str], int]]:
        """Which names, of event types and services, occur in one flow, and when the first such flow started.

        At most *limit* sets, those of the most flows. Times are nanoseconds, by the clocks of senders.
        """

    def newest_names(self, before: int, limit: int) -> tuple[pa.ChunkedArray, pa.Array]:
        """The keys and the trace ids of the newest *limit* flows received by that time."""

    def unfinished(self, limit: int) -> pa.Table:
        """STORED_FLOWS that are stuck or failed, as far as the store knows, newest first; none set aside."""

    def set_aside(self, limit: int) -> pa.Table:
        """STORED_FLOWS that were set aside, newest first."""

    def found(self, search: Search, limit: int, after: Place | None = None) -> pa.Table:
        """STORED_FLOWS that match *search* and follow *after*, in its order; of equals, the newest first."""

    def counts(self, search: Search) -> dict[int, int]:
        """How many flows match *search*, by state."""

    def counts_apart(self, search: Search) -> dict[tuple[int, bool], int]:
        """How many flows match *search*, by state and whether they are dismissed."""

    def stopped(self, search: Search, since: int) -> dict[tuple[int, bool, bool], int]:
        """How many flows that stopped match *search*, by what is true of them.

        That is: their state, whether they are dismissed, and whether their first span was received at *since*
        (nanoseconds) or later.
        """

    def tallied(self, search: Search, most: int) -> pa.Table:
        """TALLIES of the flows that match *search*; if there are more than about *most*, the largest."""

    def paced(self, search: Search, share: int) -> pa.Table:
        """PACED of one in *share* of the flows that match *search*, and of all of courses that few took.

        They are chosen at random, but always the same.
        """

    def sampled(self, search: Search, sample: Sample) -> pa.Table:
        """(id, state, traces, last) of a *sample* of the flows that match *search*, by last activity."""


class DecisionStore(Protocol):
    """Everything that people said about what is expected. Nothing of it is ever replaced or removed."""

    def write(self, decision: Decision) -> None:
        """Return once *decision* is durable, beside all earlier ones, even equal ones.

        If it is retried after an error, it may be there twice, which means the same as once.
        """

    def all(self) -> list[Decision]:
        """All decisions, oldest first; those of one instant in the order in which they were written."""


@dataclass(frozen=True)
class Stores:
    """The stores of one collector, over connections of their own, so that no other user can block them."""

    spans: SpanStore
    flows: FlowStore
    decisions: DecisionStore
    dismissals: DismissalStore
    deletions: DeletionStore
    facts: FactStore


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

    def stores(self, *, bounded: bool = False) -> Stores:
        """Stores over connections of their own.

        *bounded*: a query that takes long, or much memory, is stopped, and raises `TooMuchError`.
        """

    def require_there(self) -> None:
        """Raise `StoreError` if the folder was moved or removed since it was opened. Quick."""

    def retention(self) -> RetentionStore:
        """What removes from these stores, over connections of its own."""

    def close(self) -> None:
        """Close all connections, and release the folder if there is one."""
