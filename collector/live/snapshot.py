"""What does the live part know at one moment? A snapshot never changes, so readers need no lock."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.columns.joins import Ints, Mask, once
from collector.diagnosis.course_rows import courses
from collector.diagnosis.debts import NOTHING, Debt, Owed
from collector.diagnosis.expected import Expected
from collector.diagnosis.findings import Life, together
from collector.diagnosis.record import Record, type_of
from collector.diagnosis.standing import Standings
from collector.model.courses import no_courses
from collector.model.flows import NO_FLOWS
from collector.model.readings import NO_READINGS
from collector.model.wording import MINUTE

RECENT = 15 * MINUTE  # what counts as recent in a summary


@dataclass(frozen=True, eq=False)
class Done:
    """Flows that were recently evicted as done: when each ended, and how long it took."""

    parts: tuple[tuple[Ints, npt.NDArray[np.float64]], ...] = ()  # nanoseconds, seconds

    def after(self, since: int) -> npt.NDArray[np.float64]:
        """How many seconds each flow took that ended after *since*."""
        return np.concatenate([np.empty(0), *(seconds[last > since] for last, seconds in self.parts)])


@dataclass(frozen=True, eq=False)
class Effort:
    """What the live part costs, and what it could not do."""

    tick_s: float = 0.0  # of the last tick
    spans_held: int = 0
    spans_lost: int = 0  # that could not be judged; they are in the store
    spans_unrestored: int = 0  # judged without their stored flows, as the store did not answer
    evicted_early: int = 0  # flows evicted before they were at rest, to bound memory
    set_aside: int = 0  # flows too large to be judged
    names_together: int = 0  # times that a name was counted as __other__, as there was no room for it
    names_forgotten: int = 0  # to make room for others
    steps_forgotten: int = 0


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Unfinished flows, and in *owed* what is overdue in them; `owed.flow` is a row of *flows*.

    Times in *owed* are by our clock: a sender's clock may be minutes off.
    """

    now: int | None  # nanoseconds since the epoch; None before the first tick
    flows: pa.Table  # FLOWS
    state: Ints  # State of each flow
    kept: Mask  # of each flow: the store may have an older row for it
    coming: Mask  # of each flow: more may be on its way, so nothing of it counts as lost yet
    owed: Owed
    places: pa.Table  # READINGS of the span that each entry of `owed` is attached to
    witnesses: pa.Table  # READINGS of the span with more evidence for each entry of `owed`; nulls if none
    slack: Ints  # of each entry of `owed`, nanoseconds
    attempts: Ints  # of the reaction that each entry of `owed` is attached to; 1 for a message
    terminated: Mask  # of each entry of `owed`: the broker was told not to redeliver its message
    tried: Ints  # when the last attempt of that reaction ended, nanoseconds; 0 for a message
    pause: Ints  # between the last two attempts of that reaction, nanoseconds; 0 if there was one
    lives: dict[int, Life]  # by step, without what the flows of this snapshot tell
    journal: dict[int, tuple[tuple[int, Life], ...]]  # by step: its lives when they changed, and when
    expected: Expected | None
    learned: int  # how many flows have taught
    done: Done = field(default=Done())
    stored: int | None = None  # version of the flow that was stored last by then; None if that is unknown
    effort: Effort = field(default=Effort())
    standings: Standings = field(default=Standings())
    # What happened in the flows: in those that are marked, one after another.
    records: tuple[tuple[Record, Mask], ...] = ()

    @cached_property
    def kept_ids(self) -> tuple[str, ...]:
        """The ids of the flows for which the store may have an older row."""
        return tuple(self.flows["id"].filter(pa.array(self.kept)).to_pylist())

    @cached_property
    def courses(self) -> pa.Table:
        """COURSES of the flows."""
        if self.expected is None:
            return no_courses(0)
        names = self.expected.names
        # The flows of this snapshot are those that are alive, one record after another.
        keyed, begin, some = np.asarray(self.flows["key"].is_valid().to_numpy(), np.bool_), 0, []
        for record, alive in self.records:
            has_key = np.zeros(len(alive), np.bool_)
            end = begin + int(alive.sum())
            has_key[alive], begin = keyed[begin:end], end
            some.append(courses(record, names, alive, has_key))
        return pa.concat_tables([no_courses(0), *some]).unify_dictionaries()

    def life_of(self, step: int) -> Life:
        """When the group of *step* last handled its event type, and how many flows wait for it."""
        members = [self.lives[member] for member in self._members.get(self._of_group(step), ())]
        return self._counted(step, together(members))

    def lives_of(self, step: int) -> list[tuple[int, Life]]:
        """The life of *step* each time that it changed, oldest first, and when, in nanoseconds."""
        return [(at, self._counted(step, life)) for at, life in self.journal.get(step, ())]

    def _counted(self, step: int, life: Life) -> Life:
        mine = (self.owed.step == step) & (self.owed.kind == Debt.REACTION)
        begun = mine & (self.owed.witness >= 0)
        return replace(life, waiting=len(once(self.owed.flow[mine])), unfinished=int(begun.sum()))

    @cached_property
    def _members(self) -> dict[tuple[int, int], list[int]]:
        members: dict[tuple[int, int], list[int]] = {}
        for step in self.lives:
            members.setdefault(self._of_group(step), []).append(step)
        return members

    def _of_group(self, step: int) -> tuple[int, int]:
        return type_of(step), self.expected.names.group_of(step) if self.expected else step


EMPTY = Snapshot(
    now=None,
    flows=NO_FLOWS,
    state=np.empty(0, np.int64),
    kept=np.empty(0, np.bool_),
    coming=np.empty(0, np.bool_),
    owed=NOTHING,
    places=NO_READINGS,
    witnesses=NO_READINGS,
    slack=np.empty(0, np.int64),
    attempts=np.empty(0, np.int64),
    terminated=np.empty(0, np.bool_),
    tried=np.empty(0, np.int64),
    pause=np.empty(0, np.int64),
    lives={},
    journal={},
    expected=None,
    learned=0,
)
