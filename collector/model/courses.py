"""What course did a flow take? Who published what, who reacted to it, and what that led to, and how often.

Flows that took the same course have the same text, so that a store can count them without reading a span. How
long their reactions waited and worked is kept beside it, as one small number each: a *pace*.
"""

from functools import lru_cache

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.columns.dictionary import WORD

# The course of each flow, empty if it has none, and the paces of its reactions, in the order of the course:
# of each 256 times that of the wait, plus that of the work.
COURSES = pa.schema([("course", WORD), ("paces", pa.list_(pa.uint16()))])

# How many flows took a course (empty: unknown), are in a state, and took that long.
TALLIES = pa.schema(
    [("course", pa.string()), ("state", pa.uint8()), ("length", pa.int64()), ("n", pa.int64())]
)

# The paces of all reactions of the flows that took a course, flow by flow, and how many flows these are.
PACED = pa.schema([("course", pa.string()), ("paces", pa.list_(pa.uint16())), ("n", pa.int64())])

LONGEST = 16_000  # characters of a text; a flow whose course is longer has none
_KNOWN = 20_000  # texts that are kept as they were read
_RATIO, _FIRST_MS, _PACES = 1.12, 0.001, 256  # each pace is 12 % longer than the one before it
_LENGTHS, _FIRST_NS = 16, 100_000  # the like for how long a flow took: so many for each doubling


class Published(msgspec.Struct, frozen=True, array_like=True):
    """So many messages of one type that a service published."""

    event_type: str
    service: str
    request: bool
    caused: bool  # by a reaction that was seen
    followed: bool  # a reaction to it published an event
    count: int = 1


class Reacted(msgspec.Struct, frozen=True, array_like=True):
    """So many reactions of a group to one event type."""

    event_type: str
    service: str
    group: str
    failed: bool
    count: int = 1
    unseen: bool = False  # their message was not seen,
    alone: bool = False  # and no context says whose it was

    @property
    def step(self) -> tuple[str, str, str]:
        """Who reacts to what: event type, service and group."""
        return self.event_type, self.service, self.group


class Led(msgspec.Struct, frozen=True, array_like=True):
    """So many messages of one type that a group published, or asked with, because of an event type."""

    event_type: str
    service: str
    group: str
    emits: str
    count: int = 1

    @property
    def step(self) -> tuple[str, str, str]:
        """Who reacts to what: event type, service and group."""
        return self.event_type, self.service, self.group


class Course(msgspec.Struct, frozen=True, array_like=True):
    """The course of a flow; its messages in the order in which they came in one of the flows that took it."""

    published: tuple[Published, ...] = ()
    reacted: tuple[Reacted, ...] = ()
    led: tuple[Led, ...] = ()
    keyed: bool = True  # the flow has a flow key

    @property
    def text(self) -> str:
        """The course as it is stored; empty if that is too long."""
        text = msgspec.json.encode(self).decode()
        return text if len(text) <= LONGEST else ""


def no_courses(count: int) -> pa.Table:
    """COURSES of *count* flows that have none."""
    unknown = pa.DictionaryArray.from_arrays(np.zeros(count, np.int32), [""])
    empty = pa.ListArray.from_arrays(pa.array(np.zeros(count + 1, np.int32)), pa.array([], pa.uint16()))
    return pa.table([unknown, empty], schema=COURSES)


@lru_cache(_KNOWN)
def course_of(text: str) -> Course | None:
    """The course that *text* is of; None if it is of none: of a flow that another version stored, say."""
    try:
        return msgspec.json.decode(text, type=Course)
    except msgspec.MsgspecError:
        return None


def paces_of(milliseconds: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """The pace of each duration: 0 for less than a microsecond."""
    place = np.log(np.maximum(milliseconds, _FIRST_MS) / _FIRST_MS) / np.log(_RATIO)
    return np.where(milliseconds < _FIRST_MS, 0, np.minimum(np.rint(place) + 1, _PACES - 1)).astype(np.uint8)


def milliseconds_of(paces: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    """How long each pace is, in milliseconds, within 6 %."""
    return np.where(paces == 0, 0.0, _FIRST_MS * _RATIO ** (paces.astype(np.float64) - 1))


# The same in SQL, of the columns `started` and `last`.
LENGTH_SQL = f"toInt64(floor(log2(1 + greatest(last - started, 0) / {_FIRST_NS}) * {_LENGTHS} + 0.5))"


def lengths_of(nanoseconds: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """How long each flow took, as one small number."""
    grown = np.log2(1 + np.maximum(nanoseconds, 0) / _FIRST_NS)
    return np.floor(grown * _LENGTHS + 0.5).astype(np.int64)


def seconds_of(lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """How many seconds each of *lengths* stands for, within 3 %."""
    return (2 ** (lengths.astype(np.float64) / _LENGTHS) - 1) * _FIRST_NS / 1e9
