"""What do services still owe flows that had ended? Nobody waits for it, but somebody should know."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.joins import Ints
from collector.diagnosis import Debt, Names
from collector.diagnosis.debts import Owed
from collector.diagnosis.expected import Expected
from collector.diagnosis.standing import Unpaid, UnpaidKind
from collector.diagnosis.vocabulary import Codes
from collector.live.chunk import Chunk
from collector.model.wording import HOUR

_MOST = 10_000  # debts: the newest
_TOLD = 24 * HOUR
_EXAMPLES = 20
_KINDS: dict[int, UnpaidKind] = {
    Debt.REACTION: "react",
    Debt.SUCCESS: "succeed",
    Debt.MESSAGE: "publish",
    Debt.JOIN: "publish",
}

_What = tuple[UnpaidKind, str, str, tuple[str, ...], str | None]  # as the fields of `Unpaid`


@dataclass(frozen=True)
class _Debt:
    """One of them. Times are nanoseconds since the epoch."""

    what: _What
    end: str
    since: int
    noted: int
    kind: int
    step: int
    published: int
    sure: bool


class UnpaidDebts:
    """The newest of them, until they are paid after all, or a day old."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._debts: dict[tuple[str, _What], _Debt] = {}  # by the flow's id, the newest last
        self._owed: Owed | None = None
        self._told: tuple[Unpaid, ...] | None = None

    def add(self, chunk: Chunk, owed: Owed, ends: Ints, expected: Expected, now: int) -> None:
        """Note what flows of *chunk* still owe, and in which event type each of them ended."""
        self._changed()
        types = self._names.event_types.names
        ids = chunk.flows["id"].take(pa.array(owed.flow)).to_pylist()
        for place, flow in enumerate(ids):
            step, join = int(owed.step[place]), int(owed.join[place])
            expectation = expected.of(step, join)
            if expectation is None:
                continue
            what = (
                _KINDS[int(owed.kind[place])],
                expectation.service,
                expectation.group,
                expectation.triggers,
                expectation.next_event_type,
            )
            self._debts.pop((flow, what), None)
            self._debts[flow, what] = _Debt(
                what=what,
                end=types[int(ends[place])],
                since=int(owed.since[place]),
                noted=now,
                kind=int(owed.kind[place]),
                step=step,
                published=int(owed.published[place]),
                sure=bool(owed.sure[place]),
            )
        while len(self._debts) > _MOST:
            del self._debts[next(iter(self._debts))]

    def see(self, chunk: Chunk) -> None:
        """Drop what flows of this new *chunk* owed: what they still owe is noted again."""
        if not self._debts:
            return
        flows = {flow for flow, _ in self._debts}
        here = chunk.flows["id"].filter(pc.is_in(chunk.flows["id"], pa.array(sorted(flows), pa.string())))
        self._drop(set(here.to_pylist()))

    def forget(self, codes: Codes) -> None:
        """Forget what has one of these names."""
        steps = np.array([one.step for one in self._debts.values()], np.int64)
        gone = codes.in_steps(self._names, steps).tolist()
        if any(gone):
            self._changed()
            kept = zip(self._debts.items(), gone, strict=True)
            self._debts = dict(item for item, goes in kept if not goes)

    @property
    def owed(self) -> Owed:
        """Those that may be part of a run of messages that were passed over, without flow and row."""
        if self._owed is None:
            debts = list(self._debts.values())
            nothing = Owed(*(np.zeros(len(debts), np.int64),) * 12, *(np.zeros(len(debts), np.bool_),) * 2)
            self._owed = replace(
                nothing,
                kind=np.array([one.kind for one in debts], np.int64),
                step=np.array([one.step for one in debts], np.int64),
                since=np.array([one.since for one in debts], np.int64),
                published=np.array([one.published for one in debts], np.int64),
                sure=np.array([one.sure for one in debts], np.bool_),
            )
        return self._owed

    def told(self, now: int) -> tuple[Unpaid, ...]:
        """What is said of each service, the most frequent first."""
        old = {flow for (flow, _), one in self._debts.items() if now - one.noted > _TOLD}
        if old:
            self._drop(old)
        if self._told is None:
            self._told = self._counted()
        return self._told

    def _counted(self) -> tuple[Unpaid, ...]:
        groups: dict[_What, list[tuple[str, _Debt]]] = {}
        for (flow, what), one in self._debts.items():
            groups.setdefault(what, []).append((flow, one))
        found = []
        for (kind, service, group, triggers, missing), members in groups.items():
            ends = Counter(one.end for _, one in members)
            found.append(
                Unpaid(
                    kind=kind,
                    service=service,
                    group=group,
                    triggers=triggers,
                    missing=missing,
                    ends=tuple(name for name, _ in ends.most_common()),
                    count=len(members),
                    since=min(one.since for _, one in members),
                    last=max(one.since for _, one in members),
                    flows=tuple(flow for flow, _ in reversed(members[-_EXAMPLES:])),
                )
            )
        return tuple(sorted(found, key=lambda one: (-one.count, one.service, one.triggers)))

    def _drop(self, flows: set[str]) -> None:
        kept = {key: one for key, one in self._debts.items() if key[0] not in flows}
        if len(kept) < len(self._debts):
            self._changed()
            self._debts = kept

    def _changed(self) -> None:
        self._owed = self._told = None
