"""Which services publish or handle without a context that says why?

A root span of an event that is normally caused has lost its context. A span whose parent has not arrived has
not lost it.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from collector.columns.joins import Ints, groups
from collector.diagnosis import Names
from collector.diagnosis.expected import Expected
from collector.diagnosis.findings import Life, Orphans
from collector.diagnosis.record import OTHER, Record, type_of
from collector.diagnosis.vocabulary import Codes
from collector.model.wording import SECOND

_BEFORE = 5 * SECOND  # its clock may be off
_TIMES = 5_000  # of the newest orphans of each kind
_KINDS = 1_000
_NONE: Ints = np.empty(0, np.int64)
_SHIFT = 24  # a code is (service << _SHIFT) + event type


class OrphanCounts:
    """When each service published, or handled, an event type without a context."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._published: dict[int, Ints] = {}  # by service and event type: times, ascending
        self._handled: dict[int, Ints] = {}  # by step

    def see(self, happened: Record) -> None:
        """Count the orphans of *happened*. Those of a flow that is stitched again count once."""
        messages, reactions = happened.messages, happened.reactions
        alone = messages.rooted & ~messages.caused & ~messages.request & (messages.type > OTHER)
        kinds = (messages.service << _SHIFT) + messages.type
        for kind, rows in groups(kinds, alone & (messages.service >= 0)):
            self._count(self._published, kind, messages.time[rows])
        lost = reactions.rooted & (reactions.message < 0) & (reactions.step >= 0)
        for step, rows in groups(reactions.step, lost):
            self._count(self._handled, step, reactions.start[rows])

    def forget(self, codes: Codes) -> None:
        """Forget what has one of these names."""
        codes.drop_pairs(self._published)
        codes.drop_steps(self._names, self._handled)

    def told(self, lives: dict[int, Life], waiting: Mapping[int, int], expected: Expected) -> dict[int, Life]:
        """*lives*, with what steps for which flows are *waiting* did without context meanwhile."""
        found = dict(lives)
        for step, since in waiting.items():
            expectation = expected.steps.get(step)
            emits = expectation.emits if expectation else ()
            types = tuple(self._names.event_types.code(name) for name, _ in emits)
            near = self.near(self._names.service_of(step), types, step, since - _BEFORE)
            if near is not None:
                life = lives.get(step, Life(None, None, 0))
                found[step] = replace(life, orphans=near)
        return found

    def near(self, service: int, types: tuple[int, ...], step: int, since: int) -> Orphans | None:
        """What *service* published of *types*, or else *step* handled, without context after *since*."""
        names = self._names.event_types.names
        published = ((code, self._published.get((service << _SHIFT) + code, _NONE), True) for code in types)
        for code, times, by_publish in (*published, (type_of(step), self._handled.get(step, _NONE), False)):
            first = int(np.searchsorted(times, since))
            if first < len(times):
                return Orphans(names[code], int(times[first]), len(times) - first, published=by_publish)
        return None

    @staticmethod
    def _count(of: dict[int, Ints], kind: int, times: Ints) -> None:
        of[kind] = np.union1d(of.pop(kind, _NONE), times)[-_TIMES:].copy()  # the newest kind is the last
        while len(of) > _KINDS:
            del of[next(iter(of))]
