"""Who reacts to what, how often, how fast, in which variants? The picture that emerges from many flows."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.columns.joins import Ints
from collector.columns.keys import whole
from collector.model.answers import MapEmit, MapEvent, MapReaction, Percentiles, Variant
from collector.model.courses import PACED, TALLIES, Course, course_of, lengths_of, milliseconds_of, seconds_of
from collector.model.flows import State
from collector.model.variant_ids import spelled, variant_of

_ENDS = 0.05  # an event type ends its branch if at most this share of it is followed by another
_PACES = 256

_Step: TypeAlias = tuple[str, str, str]  # event type, service, group
Counts: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Choreography:
    """Who reacts to what, in so many flows; *unknown* are those of which no course is known."""

    flows: int
    unknown: int
    events: list[MapEvent]
    reactions: list[MapReaction]
    emits: list[MapEmit]
    variants: list[Variant]


def choreography(tallies: pa.Table, paced: pa.Table, awaited: Collection[str] = ()) -> Choreography:
    """The picture of the flows that *tallies* (TALLIES) count, with the paces of some of them (PACED).

    *awaited* has the event types that somebody is known to wait for: they end nothing, even if what follows
    is always published because of another event.
    """
    seen, flows, unknown = _Seen(), 0, 0
    for text, state, length, n in _rows(tallies):
        course = course_of(text)
        flows += n
        if course is None:
            unknown += n
        else:
            seen.add(course, State(state).word, length, n)
    paces = _paces_of(paced, seen.flows)
    return Choreography(
        flows=flows,
        unknown=unknown,
        events=seen.events(awaited),
        reactions=seen.reactions(paces),
        emits=seen.emits(),
        variants=seen.variants(),
    )


def counted(courses: pa.Table, state: Ints, took: Ints) -> tuple[pa.Table, pa.Table]:
    """(TALLIES, PACED) of flows with these *courses* (COURSES), states, and durations in nanoseconds."""
    text = courses["course"].cast(pa.string())
    keys = TALLIES.names[:3]
    rows = pa.table([text, pa.array(state, pa.uint8()), pa.array(lengths_of(took))], names=keys)
    tallies = rows.group_by(keys).aggregate([([], "count_all")]).rename_columns(TALLIES.names).cast(TALLIES)
    named = whole(text).dictionary_encode()
    order = np.argsort(named.indices.to_numpy(), kind="stable")
    numbers = np.bincount(named.indices.to_numpy(), minlength=len(named.dictionary))
    lists = whole(courses["paces"]).take(pa.array(order))
    ends = np.append(0, np.cumsum(numbers))
    paces = pa.ListArray.from_arrays(lists.offsets.take(pa.array(ends)), lists.values)
    return tallies, pa.table([named.dictionary, paces, pa.array(numbers)], schema=PACED)


@dataclass
class _Variant:
    count: int = 0
    states: Counter[str] = field(default_factory=Counter)
    lengths: Counter[int] = field(default_factory=Counter)


class _Seen:
    """What was seen in flows, added up."""

    def __init__(self) -> None:
        self.flows: Counter[Course] = Counter()
        self._published: Counter[tuple[str, str, bool, bool, bool]] = Counter()
        self._reacted: Counter[tuple[_Step, bool]] = Counter()
        self._led: Counter[tuple[_Step, str]] = Counter()
        self._variants: defaultdict[frozenset[str], _Variant] = defaultdict(_Variant)
        self._places: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])  # sum over flows, flows

    def add(self, course: Course, state: str, length: int, n: int) -> None:
        """Add *n* flows that took this course."""
        self.flows[course] += n
        for one in course.published:
            key = (one.event_type, one.service, one.request, one.caused, one.followed)
            self._published[key] += n * one.count
        for done in course.reacted:
            self._reacted[done.step, done.failed] += n * done.count
        for led in course.led:
            self._led[led.step, led.emits] += n * led.count
        kinds = list(dict.fromkeys(one.event_type for one in course.published if not one.request))
        for place, kind in enumerate(kinds):
            self._places[kind][0] += n * place
            self._places[kind][1] += n
        if kinds:
            variant = self._variants[frozenset(kinds)]
            variant.count += n
            variant.states[state] += n
            variant.lengths[length] += n

    def events(self, awaited: Collection[str]) -> list[MapEvent]:
        found = []
        for name, count in self._counts().items():
            mine = {key: n for key, n in self._published.items() if key[0] == name}
            request = any(asks for _, _, asks, _, _ in mine)
            followed = sum(n for (*_, led_on), n in mine.items() if led_on)
            found.append(
                MapEvent(
                    event_type=name,
                    count=count,
                    terminal=followed <= _ENDS * count and name not in awaited and not request,
                    request=request,
                    services=sorted({service for _, service, *_ in mine}),
                    root=sum(n for (*_, caused, _), n in mine.items() if not caused),
                )
            )
        return sorted(found, key=lambda event: (-event.count, event.event_type))

    def reactions(self, paces: dict[_Step, tuple[Counts, Counts]]) -> list[MapReaction]:
        counts, none = self._counts(), np.zeros(_PACES)
        found = []
        for step, count in self._taken().items():
            published = counts.get(step[0], 0)
            wait, work = paces.get(step, (none, none))
            found.append(
                MapReaction(
                    event_type=step[0],
                    service=step[1],
                    group=step[2],
                    count=count,
                    share=round(min(count / published, 1.0), 4) if published else 1.0,
                    wait_ms=_percentiles(wait),
                    work_ms=_percentiles(work),
                    errors=self._reacted[step, True],
                )
            )
        return sorted(found, key=lambda item: (item.event_type, item.service, item.group))

    def emits(self) -> list[MapEmit]:
        # A request is drawn like an event that the service publishes: an arrow to the service that answers.
        taken = self._taken()
        found = [
            MapEmit(
                service=step[1],
                event_type=step[0],
                emits=emitted,
                count=count,
                share=round(min(count / max(taken.get(step, 1), 1), 1.0), 4),
            )
            for (step, emitted), count in self._led.items()
        ]
        return sorted(found, key=lambda item: (item.service, item.event_type, item.emits))

    def variants(self) -> list[Variant]:
        """Flows by their set of event types, which are listed in the order in which they usually come."""
        flows = sum(one.count for one in self._variants.values())
        usual = {kind: total / count for kind, (total, count) in self._places.items()}
        found = []
        for kinds, of in self._variants.items():
            events = sorted(kinds, key=lambda kind: (usual[kind], kind))
            found.append(
                Variant(
                    id=spelled(variant_of(events)),
                    events=events,
                    count=of.count,
                    share=round(of.count / flows, 4),
                    p50_s=round(_middle(of.lengths), 3),
                    outcome=min(of.states, key=lambda state: (-of.states[state], state)),
                )
            )
        return sorted(found, key=lambda variant: (-variant.count, str(variant.events)))

    def _counts(self) -> Counter[str]:
        counts: Counter[str] = Counter()
        for (name, *_), n in self._published.items():
            counts[name] += n
        return counts

    def _taken(self) -> Counter[_Step]:
        taken: Counter[_Step] = Counter()
        for (step, _), n in self._reacted.items():
            taken[step] += n
        return taken


def _rows(tallies: pa.Table) -> Iterator[tuple[str, int, int, int]]:
    return zip(*(tallies[name].to_pylist() for name in TALLIES.names), strict=True)


def _paces_of(paced: pa.Table, flows: Mapping[Course, int]) -> dict[_Step, tuple[Counts, Counts]]:
    """For each step, about how many of its reactions waited, and worked, at each pace.

    *flows* says how many took each course: those that are *paced* stand for all of them.
    """
    found: dict[_Step, tuple[Counts, Counts]] = {}
    some: Counter[Course] = Counter()
    lists, numbers = whole(paced["paces"]), paced["n"].to_numpy()
    offsets, values = lists.offsets.to_numpy(), lists.values.to_numpy()
    rows = [(row, course_of(text)) for row, text in enumerate(paced["course"].to_pylist())]
    known = [(row, course) for row, course in rows if course is not None]
    for row, course in known:
        some[course] += int(numbers[row])
    for row, course in known:
        steps = [one.step for one in course.reacted for _ in range(one.count)]
        mine = values[offsets[row] : offsets[row + 1]]
        if not steps or len(mine) != len(steps) * numbers[row]:  # they are of another version
            continue
        each = flows.get(course, 0) / some[course]
        for step, column in zip(steps, mine.reshape(-1, len(steps)).T, strict=True):
            wait, work = found.setdefault(step, (np.zeros(_PACES), np.zeros(_PACES)))
            wait += each * np.bincount(column // _PACES, minlength=_PACES)
            work += each * np.bincount(column % _PACES, minlength=_PACES)
    return found


def _percentiles(counts: Counts) -> Percentiles:
    """Of so many durations at each pace."""
    until = np.cumsum(counts)
    places = np.searchsorted(until, until[-1] * np.array([0.5, 0.95, 0.99]) * (1 - 1e-9))
    found = milliseconds_of(places) if until[-1] else np.zeros(3)
    return Percentiles(**dict(zip(Percentiles.__struct_fields__, np.round(found, 3).tolist(), strict=True)))


def _middle(lengths: Counter[int]) -> float:
    """The median of durations, in seconds: how many there are of each length."""
    some = sorted(lengths.items())
    until = np.cumsum([n for _, n in some])
    place = int(np.searchsorted(until, until[-1] / 2))
    return float(seconds_of(np.array([some[place][0]]))[0])
