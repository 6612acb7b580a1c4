"""Are there more names than can be told apart? Then those are forgotten that were used longest ago.

A system has hundreds of event types and services. If one puts ids into them, there is no end of them. All
that is known by name is bounded; without this, the names that came first would be known for ever, and later
ones never.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from collector.columns.joins import Ints, once
from collector.diagnosis import Learner, Names
from collector.diagnosis.record import Record
from collector.diagnosis.standing import Crowd
from collector.diagnosis.vocabulary import Codes, Vocabulary, codes_of_steps
from collector.live.chunk import Chunk
from collector.live.judging import Judging
from collector.live.snapshot import Effort
from collector.model.wording import HOUR, SECOND, counted

log = logging.getLogger(__name__)

_FULL = 0.9  # of the names that fit: then room is made
_GOES = 0.4  # of them, at the most
# Learning names that will never be seen again costs as much as learning others: it has an end.
_PAUSE = 300 * SECOND
_NONE: Ints = np.empty(0, np.int64)


class Crowding:
    """Makes room among the names of the live part, and tells what there was no room for."""

    def __init__(self, names: Names, learner: Learner, judging: Judging) -> None:
        self._names, self._learner, self._judging = names, learner, judging
        self._last = 0  # when room was made last
        self._told: dict[str, tuple[int, int, str]] = {}  # by limit: how often, when last, what is said
        self._counted: dict[str, int] = {}  # by limit: how often it was exceeded when it was last looked at
        self.forgotten = 0  # names that were forgotten

    def thin(self, chunks: Sequence[Chunk], effort: Effort, now: int) -> None:
        """Forget names that nothing in *chunks* refers to, if there are too many; *now* in nanoseconds.

        *effort* tells what else there was no room for.
        """
        for one in self._vocabularies().values():
            one.turn += 1
        if now - self._last >= _PAUSE:
            self._last = now
            for one in self._vocabularies().values():
                one.release()
            self._make_room(chunks)
        self._look(now)
        self._look_at(effort, now)

    def added_to(self, effort: Effort) -> Effort:
        """*effort*, with what there was no room for."""
        return replace(
            effort,
            names_together=sum(one.refused for one in self._vocabularies().values()),
            names_forgotten=self.forgotten,
            steps_forgotten=self._learner.forgotten,
        )

    def exceeded(self, limit: str, times: int, now: int, text: str) -> None:
        """Tell for an hour, by *text*, that *limit* was exceeded, *times* in all."""
        if times > self._counted.get(limit, 0):
            if limit not in self._told:
                log.warning("%s", text)
            self._counted[limit] = times
            first = self._told.get(limit, (now, 0, ""))[0]
            self._told[limit] = (first, now, text)

    def told(self, now: int) -> tuple[Crowd, ...]:
        """What there was no room for in the last hour, the first limit first."""
        self._told = {name: one for name, one in self._told.items() if now - one[1] < HOUR}
        return tuple(Crowd(text, first) for first, _, text in sorted(self._told.values()))

    def _vocabularies(self) -> dict[str, Vocabulary]:
        names = self._names
        return {"event types": names.event_types, "services": names.services, "groups": names.groups}

    def _make_room(self, chunks: Sequence[Chunk]) -> None:
        if all(one.count <= _FULL * one.limit for one in self._vocabularies().values()):
            return
        used = [self._learner.in_use(), *(_codes_in(self._names, chunk.record) for chunk in chunks)]
        gone = Codes(
            _longest_unused(self._names.event_types, (one.types for one in used)),
            _longest_unused(self._names.services, (one.services for one in used)),
            _longest_unused(self._names.groups, (one.groups for one in used)),
        )
        if not gone:
            return
        self._learner.forget(gone)
        self._judging.forget(gone)
        self._names.event_types.forget(gone.types)
        self._names.services.forget(gone.services)
        self._names.groups.forget(gone.groups)
        self.forgotten += len(gone.types) + len(gone.services) + len(gone.groups)

    def _look(self, now: int) -> None:
        for what, one in self._vocabularies().items():
            self.exceeded(
                what,
                one.refused,
                now,
                f"More than {one.limit:,} {what} were seen: the others are counted together as __other__, and"
                f" nothing is expected of them. Do {what} have ids in their names?",
            )
        most, learner = self._learner.habits.most_steps, self._learner
        self.exceeded(
            "steps",
            learner.forgotten,
            now,
            f"Only {most:,} steps are known at a time, and {learner.forgotten:,} that were seen least were"
            f" forgotten, {learner.unlearned:,} of them after they had been learned: what is missing there is"
            " not found. Do event types or services have ids in their names?",
        )

    def _look_at(self, effort: Effort, now: int) -> None:
        early, aside, lost = effort.evicted_early, effort.set_aside, effort.spans_lost
        self.exceeded(
            "memory",
            early,
            now,
            f"There are more unfinished flows than memory holds: {early:,} were written to the store before"
            " they came to rest. Unless more of one arrives, it counts as stuck by what was expected then,"
            " and has no cause.",
        )
        self.exceeded(
            "size",
            aside,
            now,
            f"{counted(aside, 'flow')} with very many spans cannot be judged, and may be stuck.",
        )
        self.exceeded(
            "unjudged",
            lost,
            now,
            f"{counted(lost, 'span')} could not be judged, though stored: their flows may look as if they had"
            " stopped, or be missing here. The log says why.",
        )


def _longest_unused(of: Vocabulary, used: Iterable[Ints]) -> Ints:
    if of.count <= _FULL * of.limit:
        return _NONE
    return of.unused(once(np.concatenate([_NONE, *used])), int(_GOES * of.limit))


def _codes_in(names: Names, record: Record) -> Codes:
    """All names that *record* refers to."""
    messages, emits = record.messages, record.emits
    steps = codes_of_steps(
        names, np.concatenate([record.reactions.step, record.begun.step, emits.step, _NONE])
    )
    return Codes(
        once(np.concatenate([steps.types, messages.type, emits.type])),
        once(np.concatenate([steps.services, messages.service, record.begun.service])),
        steps.groups,
    )
