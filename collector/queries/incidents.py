"""Which flows are an incident: what do they wait for, of whom, and why?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collector.columns.joins import Ints, Mask, once
from collector.live.snapshot import Snapshot
from collector.model.answers import Finding
from collector.queries.stuck import entries_of, findings

_EXPLAINED = 20_000  # findings at a time, to bound the memory


@dataclass(frozen=True)
class Incident:
    """What flows have in common; what is not given may be anything."""

    service: str = ""  # that owes something
    triggers: tuple[str, ...] = ()  # the event types after which it is owed, in any order
    next_event_type: str = ""  # that is missing
    cause: str = ""
    before: int = 0  # nanoseconds: the flow's last activity is earlier

    @property
    def named(self) -> str:
        """Itself in words: `payment after StockReserved, consumer_down`."""
        parts = [self.service] if self.service else []
        parts += [f"after {' and '.join(self.triggers)}"] if self.triggers else []
        words = [" ".join(parts)] if parts else []
        words += [f"without {self.next_event_type}"] if self.next_event_type else []
        words += [self.cause] if self.cause else []
        words += [f"quiet since before {np.datetime64(self.before, 'ns')!s:.19} UTC"] if self.before else []
        return ", ".join(words)

    @property
    def owes(self) -> bool:
        """Whether it says what is owed: only flows in memory know that."""
        return bool(self.service or self.triggers or self.next_event_type or self.cause)


def members(snapshot: Snapshot, incident: Incident, among: Mask) -> Ints:
    """The rows of *snapshot* of the flows of *incident*, of those that stopped and that *among* marks."""
    if incident.before:
        among = among & (np.asarray(snapshot.flows["last"].to_numpy()) < incident.before)
    if not incident.owes:
        return np.flatnonzero(among)
    entries = entries_of(snapshot, late=False)
    entries = entries[among[snapshot.owed.flow[entries]]]
    entries = _owing(snapshot, entries, incident)
    if not incident.cause:
        return once(snapshot.owed.flow[entries])
    caused = [_caused(snapshot, part, incident.cause) for part in _parts(entries)]
    return once(np.concatenate([np.empty(0, np.int64), *caused]))


def _parts(entries: Ints) -> Sequence[Ints]:
    return [entries[start : start + _EXPLAINED] for start in range(0, len(entries), _EXPLAINED)]


def _caused(snapshot: Snapshot, entries: Ints, cause: str) -> Ints:
    """The flows of those *entries* whose finding has this cause."""
    ids = {one.flow for one in findings(snapshot, entries) if one.cause == cause}
    flows = once(snapshot.owed.flow[entries])
    names = snapshot.flows["id"].take(flows).to_pylist()
    return flows[np.array([name in ids for name in names], np.bool_)]


def _owing(snapshot: Snapshot, entries: Ints, incident: Incident) -> Ints:
    """Those of *entries* that owe what *incident* says: the same for all entries of a kind."""
    if not len(entries):
        return entries
    owed = snapshot.owed
    kinds = np.stack([owed.kind[entries], owed.step[entries], owed.join[entries]])
    _, first, kind = np.unique(kinds, axis=1, return_index=True, return_inverse=True)
    fits = np.array([_fits(snapshot, int(entries[place]), incident) for place in first], np.bool_)
    chosen: Ints = entries[fits[kind]]
    return chosen


def _fits(snapshot: Snapshot, entry: int, incident: Incident) -> bool:
    found: Sequence[Finding] = findings(snapshot, np.array([entry]))
    if not found:
        return False
    missing = found[0].missing
    return (
        incident.service in {"", missing.service}
        and (not incident.triggers or set(incident.triggers) == set(missing.triggers))
        and incident.next_event_type in {"", missing.next_event_type}
    )
