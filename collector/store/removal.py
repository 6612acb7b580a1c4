"""What a store promises about what goes: days of spans, what people dismissed, and what they had deleted.

Whatever fails raises `StoreError`, as in `contracts`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

import pyarrow as pa

from collector.columns.joins import Ints
from collector.model.deletions import Counted, Deletion, Doomed, Recorded
from collector.model.dismissals import Dismissal


class Day(NamedTuple):
    """The spans that were received on one day, in UTC: retention drops them all at once."""

    number: int  # days since 1970-01-01
    spans: int  # copies
    bytes: int  # on the disk


class Room(NamedTuple):
    """The disk that a store writes to, in bytes."""

    free: int
    total: int


class RetentionStore(Protocol):
    """What is kept, for how long. What it removes is gone for good, but never seen half removed by a query.

    The keys that were refused as flow keys, and what people said, are never removed: a key that is believed
    again would join its flows again, and a person's word has no date at which it ends. Both are few.
    """

    def allow_merges(self, allowed: bool) -> None:
        """Let what is stored be merged in the background, or stop that; a server's owner decides himself."""

    def days(self) -> list[Day]:
        """The days that have spans, oldest first."""

    def size(self) -> int:
        """The bytes on the disk of all that is stored."""

    def room(self) -> Room:
        """The disk that is written to."""

    def oldest(self) -> int:
        """When the oldest span that is kept was received, nanoseconds; 0 if there is none."""

    def drop_day(self, number: int) -> None:
        """Remove all spans of this day. A day without spans is not an error.

        If that is interrupted, some of them may be gone: `half_dropped` then says which day it was.
        """

    def half_dropped(self) -> int | None:
        """The day whose drop was interrupted, also in a process before; None if there is none."""

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
