"""Which days of spans go, and why? Pure: the clock, the disk and the store are looked at elsewhere.

A day is what arrived on one date in UTC; it goes as a whole, and the oldest one goes first. It goes when it
is too old, when the store holds too many bytes, or when the disk is nearly full.

What is sure goes at once: a day is too old by the clock, and spans were received on more later days than are
to be kept; or the store is larger than it may be. What is not goes slowly, one day an hour, so that a mistake
costs little before somebody sees it. The clock alone may have been set a year forward: it has to go on evenly
for an hour first. And it may be another program that fills the disk.

Never does today go, nor the newest day, nor one that ended less than six hours ago.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from collector.model.wording import HOUR
from collector.store.removal import Day, Room

DAY = 24 * HOUR
ALWAYS = 6 * HOUR  # what was received in the last hours stays, whatever happens
PAUSE = HOUR  # between two days that go because only one witness says so
_MIB = 1024 * 1024


class Reason(StrEnum):
    """Why a day goes."""

    AGE = "age"
    BYTES = "bytes"
    DISK = "disk"
    HALF = "half"  # the rest of a day whose drop was interrupted


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept."""

    days: int  # of spans, besides today
    bytes: int  # on the disk, of all that is stored
    flow_days: int  # of the rows of flows
    least_free: int  # bytes on the disk: with less, no span is acknowledged

    @property
    def near(self) -> int:
        """With less than so many bytes free, the disk is nearly full."""
        return 2 * self.least_free


@dataclass(frozen=True, slots=True)
class Looked:
    """What is there at one moment."""

    now: int  # nanoseconds since the epoch
    even: bool  # the clock has gone on as time did for an hour
    used: int  # bytes of all that is stored
    free: int  # bytes on the disk
    alone: bool = True  # an hour has passed since a day went because only one witness said so


@dataclass(frozen=True, slots=True)
class Retained:
    """What is kept now."""

    since: int = 0  # when the oldest span that is kept was received, nanoseconds; 0: not known
    days: int = 0
    bytes: int = 0
    limits: Limits = Limits(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Going:
    """A day that goes, and whether only one witness says so."""

    day: Day
    reason: Reason
    alone: bool = False


def going(days: Sequence[Day], looked: Looked, limits: Limits) -> list[Going]:
    """Which of *days*, oldest first, go now."""
    may_go = [day for day in days[:-1] if (day.number + 1) * DAY + ALWAYS <= looked.now]
    today = looked.now // DAY
    alone = looked.alone
    found: list[Going] = []
    for place, day in enumerate(may_go):
        if today - day.number <= limits.days:
            break
        if len(days) - place - 1 > limits.days:
            found.append(Going(day, Reason.AGE))
        elif alone and looked.even:
            found.append(Going(day, Reason.AGE, alone=True))
            alone = False
    rest = may_go[len(found) :]
    used = looked.used - sum(one.day.bytes for one in found)
    while rest and used > limits.bytes:
        found.append(Going(rest.pop(0), Reason.BYTES))
        used -= found[-1].day.bytes
    missing = limits.near - looked.free - sum(one.day.bytes for one in found)
    # If all of them together would not be enough, their loss would help nobody.
    if alone and 0 < missing <= sum(day.bytes for day in rest):
        found.append(Going(rest[0], Reason.DISK, alone=True))
    return found


def rows_before(oldest: int, looked: Looked, limits: Limits) -> int:
    """Before which time the rows of flows go, if the oldest is of *oldest*; 0: none goes.

    Only the clock says how old they are, so they go a day at a time.
    """
    too_old = looked.now - limits.flow_days * DAY
    if not (oldest and looked.even and looked.alone) or oldest // DAY * DAY + DAY > too_old:
        return 0
    return oldest // DAY * DAY + DAY


def over_bytes(days: Sequence[Day], looked: Looked, limits: Limits) -> str:
    """Why nothing more may be stored although the disk has room, in one line; empty if it may."""
    if looked.used <= limits.bytes or going(days, looked, limits):
        return ""
    return (
        f"The store has {looked.used:,} bytes, more than CHOREOSCOPE_RETENTION_BYTES ({limits.bytes:,})"
        " allows, and all that is left is of the last hours: no span is taken. Allow more, or send less."
    )


def limit_of(configured: int, used: int, room: Room) -> int:
    """How many bytes may be stored: as *configured* or, if that is 0, 80 % of what could be."""
    return configured or used + room.free * 4 // 5


def least_free_of(configured: int, room: Room) -> int:
    """How many bytes must stay free: as *configured* or, if that is 0, 256 MiB or a tenth of a small disk."""
    return configured or min(256 * _MIB, room.total // 10)
