"""How regularly does something happen when it could, and has that changed?

Each time that it could have happened is one of four: it was *taken*; it *happened unseen* (what follows
from it was seen); it was *not taken*, although the same reactor took later ones; or it is *unknown*. Only the
first three are examples. An outage leaves a run of misses: one that the share does not explain is unknown.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import lgamma
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from collector.columns.joins import Ints
from collector.diagnosis.habits import Habits, Regularity
from collector.model.wording import SECOND

_RECENT = 240  # the newest examples, in which a drop is looked for
_AWAITED = 240  # misses that are not settled; the oldest of more are unknown
_WINDOWS = (8, 12, 20, 40, 60, 80, 120, 240)
_FEW, _SHOWN = 8, 20  # ids of flows that are kept
_RECOVERED = 40  # so many of the newest examples tell whether a drop is over
_NEVER = 2**63 - 1
_UNEXPLAINED = 1e-4  # a run of misses that is less probable than this was an outage


Others: TypeAlias = Callable[[int], tuple[int, int]]


def _nothing(_: int) -> tuple[int, int]:
    return 0, 0


@dataclass(frozen=True)
class Fall:
    """The newest *hits* of *window* examples are fewer than chance explains by *share*."""

    share: float
    n: int
    hits: int
    window: int
    since: int  # nanoseconds: the time of the first example in the window that was missed


class Habit:
    """One thing that may happen, each time that it could. Times are those of the messages, nanoseconds."""

    __slots__ = (
        "_awaited",
        "_checked",
        "_due",
        "_fallen",
        "_habits",
        "_old_hits",
        "_old_n",
        "_recent",
        "_seen",
        "_times",
        "last",
        "missed",
        "missed_last",
        "missed_since",
    )

    def __init__(self, habits: Habits) -> None:
        self._habits = habits
        self._old_n = self._old_hits = 0.0  # examples older than the recent ones; they slowly fade
        self._recent: npt.NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._times: npt.NDArray[np.uint32] = np.zeros(0, np.uint32)  # of the recent ones, seconds
        self._awaited: Ints = np.empty(0, np.int64)
        self._due = _NEVER  # what was missed after that may still come
        self._fallen: tuple[float, float, int] | None = None  # (n, hits, since) of before an open drop
        self._seen = 0  # examples in all
        self._checked = 0  # at how many of them a drop was last looked for
        self.last = 0  # when the newest was published that it happened after
        self.missed_since = 0  # since when it was missed and never seen; 0: it was seen last
        self.missed_last = 0  # the newest of these
        self.missed: tuple[str, ...] = ()  # ids of flows in which it did not happen, oldest first

    def add(self, hits: Ints, misses: Ints, due: int = _NEVER) -> None:
        """Add the times of what happened, and of what did not; the order in which they are given is free.

        A miss is settled once it happened after something published later, and if it is older than *due*:
        what was missed later may still come.
        """
        if len(hits):
            self.last = max(self.last, int(hits.max()))
        self._due = due
        waiting = np.sort(np.concatenate([self._awaited, misses, self._unsettled()]))
        settled = waiting < min(self.last, self._due)
        self._awaited = waiting[~settled][-_AWAITED:].copy()  # a slice keeps alive what it was cut from
        misses = self._explained(hits, waiting[settled])
        if len(self._awaited):
            self.missed_since = self.missed_since or int(self._awaited[0])
            self.missed_last = max(self.missed_last, int(self._awaited[-1]))
        elif len(hits):
            self.missed_since = 0
        self._push(np.concatenate([hits, misses]), len(hits))

    def _unsettled(self) -> Ints:
        """Take back the misses that may still happen, now that it is known to be slower."""
        early = ~self._recent & (self._times > min(max(self._due, 0) // SECOND, 2**32 - 1))
        times = self._times[early].astype(np.int64) * SECOND
        self._recent, self._times = self._recent[~early], self._times[~early]
        return times

    def add_settled(self, times: Ints, hit: npt.NDArray[np.bool_]) -> None:
        """Add examples of which it is certain whether it happened."""
        if hit.any():
            self.last = max(self.last, int(times[hit].max()))
        self._push(np.concatenate([times[hit], times[~hit]]), int(hit.sum()))

    def came(self, times: Ints) -> None:
        """Correct misses at these times: it did happen later, so it was slow and no choice."""
        if not len(times):
            return
        self.last = max(self.last, int(times.max()))
        self._awaited = self._awaited[~np.isin(self._awaited // SECOND, times // SECOND)]
        if not len(self._awaited):
            self.missed_since = 0
        seconds = (times // SECOND).astype(np.uint32)
        for second in seconds.tolist():
            place = np.flatnonzero((self._times == second) & ~self._recent)
            if len(place):
                self._recent[place[0]] = True
            elif self._old_hits <= self._old_n - 1:
                self._old_hits += 1
            else:
                self._push(np.array([second * SECOND]), 1)

    def note_missed(self, flows: Sequence[str]) -> None:
        """Note the ids of flows in which it did not happen: a few, and more of them during a drop."""
        self.missed = (*self.missed, *flows)[-(_SHOWN if self._fallen else _FEW) :]

    def miss(self, times: Ints) -> None:
        """Note what became stuck: it does not count for the share."""
        if len(times):
            self.missed_since = self.missed_since or int(times.min())
            self.missed_last = max(self.missed_last, int(times.max()))

    @property
    def n(self) -> float:
        """How many examples the share is taken from."""
        return self._fallen[0] if self._fallen else self._old_n + len(self._recent)

    @property
    def hits(self) -> float:
        """In how many of them it happened."""
        return self._fallen[1] if self._fallen else self._old_hits + int(self._recent.sum())

    @property
    def share(self) -> float:
        """How often it happens; 0 without examples."""
        return self.hits / self.n if self.n else 0.0

    @property
    def recent(self) -> tuple[int, int]:
        """(how many of the newest examples missed it, of how many), with those that are not settled."""
        newest, _ = self._newest()
        return int((~newest).sum()), len(newest)

    @property
    def regularity(self) -> Regularity:
        """Whether a miss means something."""
        habits, n, missed = self._habits, self.n, self.n - self.hits
        if n < habits.flows:
            return Regularity.LEARNING
        return Regularity.ALWAYS if missed <= habits.missed_share * n + 1e-6 else Regularity.SOMETIMES

    @property
    def firm(self) -> bool:
        """Whether even a single message that was passed over means something."""
        return self.hits >= self._habits.firm * (self.n - self.hits + 1) - 1e-6

    def fall(self, due: int | None = None, others: Others = _nothing) -> Fall | None:
        """The drop of the share, if there is one. It ends once the newest examples are as usual again.

        What was missed after *due* may still come. *others* tells (examples, hits) since a time in flows that
        have not taught yet: flows that go another way may teach sooner.
        """
        self._due = self._due if due is None else due
        newest, times = self._newest()
        if self._fallen is None:
            self._look(newest, times, others)
        elif self._seen > self._checked:
            self._checked = self._seen
            self._end(newest, times)
        if self._fallen is None:
            return None
        n, hits, since = self._fallen
        window = max(int((times >= since // SECOND).sum()), 1)
        window = min(window, len(newest))
        found = int(newest[len(newest) - window :].sum())
        return Fall(hits / n, round(n), found, window, since)

    def _newest(self) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.uint32]]:
        overdue = self._awaited[self._awaited < self._due]
        times = np.concatenate([self._times, (overdue // SECOND).astype(np.uint32)])
        newest = np.concatenate([self._recent, np.zeros(len(overdue), np.bool_)])
        order = np.argsort(times, kind="stable")
        return newest[order][-_RECENT:], times[order][-_RECENT:]

    def _look(self, newest: npt.NDArray[np.bool_], times: npt.NDArray[np.uint32], others: Others) -> None:
        seen = self._seen + int((self._awaited < self._due).sum())
        n, hits = self._old_n + len(self._recent), self._old_hits + int(self._recent.sum())
        for window in _WINDOWS:
            if window > len(newest) or seen // max(window // 8, 1) == self._checked // max(window // 8, 1):
                continue
            first = len(newest) - window
            inside = self._times >= times[first]
            before_n = n - int(inside.sum())
            before_hits = hits - int((inside & self._recent).sum())
            found = int(newest[-window:].sum())
            if before_n < self._habits.baseline or found >= window * before_hits / before_n:
                continue
            if chance_of(found, window, before_hits, before_n) < self._habits.chance:
                more, found_more = others(int(times[first]) * SECOND)
                whole = chance_of(found + found_more, window + more, before_hits, before_n)
                if whole >= self._habits.chance:
                    continue
                # Of many at once, the drop began where the run of misses did, not with the smallest window.
                taken = np.flatnonzero(newest[:first])
                begin = int(taken[-1]) + 1 if len(taken) else 0
                missed = times[begin:][~newest[begin:]]
                self._fallen = (before_n, before_hits, int(missed[0]) * SECOND)
                break
        self._checked = seen

    def _end(self, newest: npt.NDArray[np.bool_], times: npt.NDArray[np.uint32]) -> None:
        assert self._fallen is not None
        n, hits, since = self._fallen
        tail, fallen = newest[-_RECOVERED:], newest[times >= since // SECOND]
        over = len(tail) == _RECOVERED and chance_of(int(tail.sum()), _RECOVERED, hits, n) > 0.01
        # What was missed may have been explained since: an outage is no choice.
        explained = chance_of(int(fallen.sum()), len(fallen), hits, n) > 0.01
        # What has lasted for a week is the new share.
        lasted = int(times[-1]) * SECOND - since > self._habits.forgotten_s * SECOND
        if over or explained or lasted:
            before = self._times < since // SECOND
            self._old_n = max(n - int(before.sum()), 0.0)
            self._old_hits = min(max(hits - int(self._recent[before].sum()), 0.0), self._old_n)
            # What happened during a drop is no example of what is normal, neither hits nor misses.
            kept = ~before if lasted else before | explained
            if lasted:
                self._old_n = self._old_hits = 0.0
            self._recent, self._times = self._recent[kept], self._times[kept]
            self._fallen = None

    def _explained(self, hits: Ints, misses: Ints) -> Ints:
        """*misses* without runs, between two that were taken, that are too long to be a choice."""
        if len(misses) < self._habits.run:
            return misses
        gap = np.searchsorted(np.sort(hits), misses)
        _, which, length = np.unique(gap, return_inverse=True, return_counts=True)
        longest = int(length.max())
        missed = self.n - self.hits
        steps = np.arange(longest)
        probable = np.cumprod((missed + 0.5 + steps) / (self.n + 1 + steps))
        outage = (length >= self._habits.run) & (probable[length - 1] < _UNEXPLAINED)
        return misses[~outage[which]]

    def _push(self, times: Ints, hits: int) -> None:
        if not len(times):
            return
        order = np.argsort(times, kind="stable")
        self._seen += len(times)
        recent = np.concatenate([self._recent, order < hits])
        seconds = (times[order] // SECOND).astype(np.uint32)
        self._times = np.concatenate([self._times, seconds])[-_RECENT:].copy()
        over, self._recent = recent[:-_RECENT], recent[-_RECENT:].copy()
        if len(over) and self._fallen is None:
            self._old_n += len(over)
            self._old_hits += int(over.sum())
            if (window := self._habits.window) * 2 < self._old_n:
                self._old_hits *= window / self._old_n
                self._old_n = float(window)


def chance_of(found: int, window: int, hits: float, n: float) -> float:
    """How probable at most *found* of *window* are, where *hits* of *n* happened before.

    By the beta-binomial distribution: that the share itself is only known from *n* examples counts, too.
    """
    a, b = hits + 0.5, n - hits + 0.5
    none = _log_beta(a, window + b) - _log_beta(a, b)  # the logarithm of how probable none at all is
    x = np.arange(found)
    steps = np.log((window - x) * (x + a)) - np.log((x + 1) * (window - x - 1 + b))
    return float(np.exp(none + np.concatenate([[0.0], np.cumsum(steps)])).sum())


def _log_beta(a: float, b: float) -> float:
    # The standard library's: scipy.special takes half a second to import, at each start.
    return lgamma(a) + lgamma(b) - lgamma(a + b)
