"""What time is it, wherever one time of ours is compared with another? A wall clock that never leaps.

Wall clocks are set: by hand, by NTP after a boot, by a hypervisor. If the time of arrival, of a tick and of a
deadline leapt with them, flows would look hours old, or younger than nothing. So this clock goes on with the
time since boot, which nobody sets and which counts while a machine sleeps, and only approaches the wall
clock, by at most `SLEW` of the time that passes. Times of senders are not ours: they are compared with their
clocks, for which this machine's wall clock is the best guess.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_SECOND = 10**9
_HOUR = 3600 * _SECOND
SLEW = 0.05  # an hour is made up for in 20; a deadline comes at most so much sooner or later
# A clock that is off by more was not set, it was wrong: in 1970, or in a year to come.
WRONG = 25 * _HOUR
TOLD = 2 * _SECOND  # a smaller difference concerns nobody


@dataclass(frozen=True)
class Mark:
    """What the steady clock said at one moment since boot, so that the next process goes on with it."""

    boot: str  # which boot that was
    elapsed: int  # nanoseconds since that boot
    steady: int  # nanoseconds since the epoch


def steered(steady: int, elapsed: int, wall: int) -> int:
    """The steady time *elapsed* nanoseconds after *steady*, now that the wall clock says *wall*.

    Never before *steady*. A wall clock that is far ahead is believed at once: what was before was wrong.
    """
    ahead = steady + elapsed
    off = wall - ahead
    if off > WRONG:
        return wall
    most = int(elapsed * SLEW)
    return ahead + max(-most, min(off, most))


def begun(wall: int, now: Mark, last: Mark | None) -> int:
    """The steady time with which a process begins, if the one before left the mark *last*; see `Mark`.

    While it was stopped, the wall clock may have been set: within one boot, the time that passed is known.
    """
    if last is not None and last.boot == now.boot and last.elapsed <= now.elapsed:
        going_on = last.steady + now.elapsed - last.elapsed
        if abs(going_on - wall) <= WRONG:
            return going_on
    return wall


class SteadyClock:
    """The clock of one process. Its methods may be called from any thread."""

    def __init__(
        self,
        kept_in: Path | None = None,
        *,
        wall: Callable[[], int] = time.time_ns,
        elapsed: Callable[[], int] | None = None,
        boot: Callable[[], str] | None = None,
    ) -> None:
        """*kept_in* is a file in which the mark of this clock is kept, in a folder that exists."""
        self._wall, self._elapsed = wall, elapsed or _since_boot
        self._file = kept_in
        self._boot = (boot or _boot)()
        self._lock = threading.Lock()
        self._at = self._elapsed()
        said = self._wall()
        self._now = begun(said, Mark(self._boot, self._at, said), _read(kept_in))
        self._off = said - self._now

    def now(self) -> int:
        """Nanoseconds since the epoch; never less than before."""
        with self._lock:
            at, wall = self._elapsed(), self._wall()
            self._now = steered(self._now, max(at - self._at, 0), wall)
            self._at = max(at, self._at)
            self._off = wall - self._now
            return self._now

    def follow(self, arrival: int) -> None:
        """Go on after *arrival*, the newest that is stored, unless the clock that gave it was wrong."""
        with self._lock:
            if arrival - self._now <= WRONG:
                self._now = max(self._now, arrival + 1)

    @property
    def off(self) -> int:
        """By how many nanoseconds the wall clock was ahead of this one when it was last asked."""
        return self._off

    def keep(self) -> None:
        """Write the mark to its file. If that fails, a restart begins with the wall clock."""
        if self._file is None or not self._boot:
            return
        self.now()
        text = f"{self._boot} {self._at} {self._now}\n"
        written = self._file.with_name(f"{self._file.name}.new")
        # Not synced: after power loss it is another boot, and the mark means nothing.
        with contextlib.suppress(OSError):
            written.touch(mode=0o600)
            written.write_text(text, encoding="ascii")
            written.rename(self._file)


def told(off: int) -> str | None:
    """What people should know of a wall clock that is *off* nanoseconds ahead of ours; None if nothing."""
    if abs(off) <= TOLD:
        return None
    way, side = ("forward", "behind") if off > 0 else ("back", "ahead of")
    minutes = abs(off) // (60 * _SECOND)
    minutes -= minutes % 5 if minutes > 10 else 0  # or the log would have a line for each minute of a day
    long = f"about {minutes // 60} h {minutes % 60} min" if minutes else "less than a minute"
    if abs(off) > WRONG:
        return (
            f"This machine's clock was set {way} by {long}. Nothing is called late or stuck because of that,"
            f" but the collector's times stay {side} it: a restart makes it go by that clock."
        )
    return (
        f"This machine's clock was set {way}. Nothing is called late or stuck because of that: the"
        f" collector's times are {long} {side} it now, and come nearer by {SLEW * 60:.0f} minutes an hour."
    )


def _since_boot() -> int:
    """Nanoseconds since boot, also those that the machine slept; not that everywhere."""
    for name in ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC_RAW"):  # Linux; macOS
        if (clock := getattr(time, name, None)) is not None:
            return time.clock_gettime_ns(clock)
    return time.monotonic_ns()


def _boot() -> str:
    """A name for this boot; empty if the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _read(file: Path | None) -> Mark | None:
    if file is None:
        return None
    try:
        boot, elapsed, steady = file.read_text(encoding="ascii").split()
        return Mark(boot, int(elapsed), int(steady))
    except (OSError, ValueError):  # there is none, or it was cut off
        return None
