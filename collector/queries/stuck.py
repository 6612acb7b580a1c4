"""What is stuck, and why? The rules explain each overdue entry of a snapshot."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import networkx as nx
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.columns.joins import Ints, Mask, once
from collector.diagnosis import Case, Debt, Place, diagnose
from collector.diagnosis import Finding as Verdict
from collector.diagnosis.findings import Evidence as Proof
from collector.diagnosis.findings import Life
from collector.diagnosis.record import reactor_of, type_of
from collector.diagnosis.rules import turns
from collector.live.snapshot import Snapshot
from collector.model.answers import (
    CauseChange,
    Cohort,
    Drop,
    Evidence,
    Expectation,
    Finding,
    Missing,
    RestsOn,
    StoppedAt,
    Stuck,
    Unexplained,
    Unlisted,
)
from collector.model.flows import State
from collector.model.hiding import HIDDEN
from collector.model.wording import MS
from collector.queries.expectation_list import drop_of, rests_on
from collector.queries.paging import Page, cursor_after
from collector.queries.remnants import cut_sentence

MOST_OF_ONE = 1_000  # findings of one flow that are explained: its oldest
MOST_CASES = 20_000  # if there are more, the rest are counted but not explained


@dataclass(frozen=True)
class Explained:
    """A finding, and what its history is made from: that takes as long as the rest, and few are shown."""

    finding: Finding  # without its history
    case: Case
    journal: Sequence[tuple[int, Life]]

    def whole(self) -> Finding:
        """The finding with its history."""
        changes = turns(self.case, self.journal)
        told = [CauseChange(time_unix_nano=at, cause=one.cause, because=one.sentence) for at, one in changes]
        return msgspec.structs.replace(self.finding, history=told)


@dataclass(frozen=True)
class Findings:
    """All findings of one moment: those that are explained, and how many there are in total."""

    explained: Sequence[Explained]  # oldest first
    cohorts: Sequence[Cohort]
    total: int
    flows: int
    drops: Sequence[Drop]
    rests_on: RestsOn

    @property
    def found(self) -> Iterator[Finding]:
        """The findings that are explained, oldest first, without their histories."""
        return (one.finding for one in self.explained)


def all_findings(
    snapshot: Snapshot, hidden: Mask | None = None, *, late: bool = False, kept_since: int = 0
) -> Findings:
    """All findings, oldest first, and their cohorts: those with the same triggers, debtor and cause.

    Flows that *hidden* marks are left out: they are dismissed. The oldest span that is kept is of
    *kept_since*.
    """
    entries = entries_of(snapshot, late=late, hidden=hidden)
    explained = _explained(snapshot, _told(snapshot, entries), kept_since)
    flows = len(once(snapshot.owed.flow[entries]))
    drops = [drop_of(one) for one in snapshot.standings.drops]
    calm = rests_on(snapshot.standings, snapshot.now or 0)
    incidents = cohorts(one.finding for one in explained)
    return Findings(explained, incidents, len(entries), flows, drops, calm)


def page_of(
    every: Findings,
    wanted: Page,
    *,
    each: int | None,
    replayed: bool,
    unlisted: Unlisted | None = None,
    unexplained: Unexplained | None = None,
    dismissed: int = 0,
) -> Stuck:
    """The part of *every* that *wanted* asks for; *each* keeps only the oldest so many of each cohort."""
    found = _first_of_each(every.explained, each) if each else every.explained
    first = bisect_right(found, wanted.after, key=_order) if wanted.after else 0
    shown = found[first : first + wanted.limit]
    following = cursor_after(_order(shown[-1])) if first + len(shown) < len(found) and shown else None
    return Stuck(
        stuck=[one.whole() for one in shown],
        cohorts=list(every.cohorts),
        total=every.total,
        flows=every.flows,
        dismissed=dismissed,
        replayed=replayed,
        next_cursor=following,
        drops=list(every.drops),
        rests_on=every.rests_on,
        unlisted=unlisted,
        unexplained=unexplained,
    )


def _told(snapshot: Snapshot, entries: Ints) -> Ints:
    """At most MOST_CASES of *entries*: the oldest of each thing owed, so that no incident hides another."""
    if len(entries) <= MOST_CASES:
        return entries
    owed = snapshot.owed
    _, kind = np.unique(
        np.stack([owed.kind[entries], owed.step[entries], owed.join[entries]]), axis=1, return_inverse=True
    )
    by_kind = np.argsort(kind, kind="stable")
    first = np.searchsorted(kind[by_kind], kind[by_kind])
    rank = np.empty(len(entries), np.int64)
    rank[by_kind] = np.arange(len(entries)) - first
    return entries[np.sort(np.argsort(rank, kind="stable")[:MOST_CASES])]


def _first_of_each(found: Sequence[Explained], each: int) -> Sequence[Explained]:
    """The oldest *each* findings of every cohort."""
    taken: Counter[str] = Counter()
    kept = []
    for one in found:
        if taken[one.finding.cohort] < each:
            taken[one.finding.cohort] += 1
            kept.append(one)
    return kept


def _order(explained: Explained) -> tuple[int, int, str]:
    finding = explained.finding
    return 0, finding.since_unix_nano, f"{finding.flow} {finding.stopped_at.ref} {_written(finding.missing)}"


def _written(missing: Missing) -> dict[str, Any]:
    return msgspec.structs.asdict(missing)


def entries_of(
    snapshot: Snapshot, *, late: bool, flow: int | None = None, hidden: Mask | None = None
) -> Ints:
    """The overdue entries, oldest first; without *late*, only those past their deadline or failed.

    Without those of the flows that *hidden* marks.
    """
    owed, now = snapshot.owed, snapshot.now or 0
    past = (now - owed.since - snapshot.slack > owed.deadline) | owed.final
    wanted = past if not late else np.ones(len(owed), np.bool_)
    if flow is not None:
        wanted &= owed.flow == flow
    if hidden is not None:
        wanted &= ~hidden[owed.flow]
    rows = np.flatnonzero(wanted)
    return rows[np.argsort(owed.since[rows], kind="stable")]


def findings(snapshot: Snapshot, entries: Ints, kept_since: int = 0) -> Sequence[Finding]:
    """The finding of each entry; the oldest span that is kept was received at *kept_since*."""
    return [one.whole() for one in _explained(snapshot, entries, kept_since)]


def _explained(snapshot: Snapshot, entries: Ints, kept_since: int) -> Sequence[Explained]:
    if snapshot.expected is None or not len(entries):
        return []
    places, witnesses = (_places(spans.take(entries)) for spans in (snapshot.places, snapshot.witnesses))
    ids = snapshot.flows["id"].take(snapshot.owed.flow[entries]).to_pylist()
    keys = snapshot.flows["key"].take(snapshot.owed.flow[entries]).to_pylist()
    times = (snapshot.flows[name].take(snapshot.owed.flow[entries]) for name in ("begun", "received"))
    arrived = zip(*(one.to_pylist() for one in times), strict=True)
    cut = [cut_sentence(begun, received, kept_since) for begun, received in arrived]
    lives = {step: snapshot.life_of(step) for step in np.unique(snapshot.owed.step[entries]).tolist()}
    after = _after(snapshot)
    alike = Counter(zip(snapshot.owed.kind.tolist(), snapshot.owed.step.tolist(), strict=True))
    journals = {step: snapshot.lives_of(step) for step in lives}
    blocked: dict[str | None, list[str]] = {}
    names: dict[tuple[tuple[str, ...], str, str], str] = {}  # of cohorts, in the order in which they began
    found = []
    for place, entry in enumerate(entries.tolist()):
        step = int(snapshot.owed.step[entry])
        # The span of a batch does not say which messages are in it; the step does.
        event_type = snapshot.expected.names.event_types.names[type_of(step)]
        where = places[place]
        assert where is not None
        # A join that waits for one event stopped at another.
        other = snapshot.owed.kind[entry] == Debt.OTHER
        known = other or where.event_type == event_type
        stopped = where if known else replace(where, event_type=event_type)
        same = alike[int(snapshot.owed.kind[entry]), step]
        case = _case(snapshot, entry, stopped, witnesses[place], same)
        verdict = diagnose(case, lives[step])
        state = State(int(snapshot.state[snapshot.owed.flow[entry]]))
        if case.next_event_type not in blocked:
            blocked[case.next_event_type] = _blocked(after, case.next_event_type)
        beyond = blocked[case.next_event_type]
        if cut[place]:
            facts = (*verdict.evidence, Proof("absence", None, cut[place]))
            verdict = replace(verdict, evidence=facts)
        finding = _finding(case, verdict, ids[place], keys[place], state, beyond, names)
        found.append(Explained(finding, case, journals[step]))
    return sorted(found, key=_order)


def _places(spans: pa.Table) -> list[Place | None]:
    """What each of *spans* (READINGS) says about itself; None where there is no span."""
    columns = ["trace_id", "span_id", "event_type", "service", "destination", "error", "instance"]
    hidden = pc.and_(spans["error"].is_valid(), pc.invert(pc.fill_null(spans["quotable"], False)))
    error = pc.if_else(hidden, pa.scalar(HIDDEN), spans["error"])
    spans = spans.set_column(spans.schema.get_field_index("error"), "error", error)
    return [
        Place(f"{trace_id.hex()}:{span_id.hex()}", *said) if trace_id is not None else None
        for trace_id, span_id, *said in zip(*(spans[name].to_pylist() for name in columns), strict=True)
    ]


def cohorts(found: Iterable[Finding]) -> list[Cohort]:
    """Findings grouped into incidents, by what they have in common; the largest first."""
    groups: dict[str, list[Finding]] = {}
    for finding in found:
        groups.setdefault(finding.cohort, []).append(finding)
    rows = []
    for name, members in groups.items():
        since = [member.since_unix_nano for member in members]
        first = members[0]
        rows.append(
            Cohort(
                id=name,
                event_type=first.stopped_at.event_type,
                triggers=first.missing.triggers,
                missing_service=first.missing.service,
                next_event_type=first.missing.next_event_type,
                cause=first.cause,
                sentence=first.sentence,
                flows=len({member.flow for member in members}),
                first_unix_nano=min(since),
                last_unix_nano=max(since),
                oldest_unix_nano=min(since),
            )
        )
    return sorted(rows, key=lambda row: (-row.flows, row.first_unix_nano, row.id))


def _case(snapshot: Snapshot, entry: int, stopped: Place, witness: Place | None, alike: int) -> Case:
    owed, expected = snapshot.owed, snapshot.expected
    assert expected is not None
    service, group = expected.names.of_reactor(reactor_of(int(owed.step[entry])))
    debt, step = Debt(int(owed.kind[entry])), int(owed.step[entry])
    gather = expected.gathers[int(owed.join[entry])] if debt is Debt.OTHER else None
    return Case(
        debt=debt,
        stopped_at=stopped,
        service=service,
        group=group,
        since=int(owed.since[entry]),
        now=snapshot.now or 0,
        due_ms=float(owed.due[entry] / MS),
        deadline_ms=float(owed.deadline[entry] / MS),
        expectation=gather.expectation if gather else expected.of(step, int(owed.join[entry])),
        awaited=expected.names.event_types.names[type_of(step)] if gather else None,
        publisher=gather.publisher if gather else None,
        pace=gather.pace if gather else None,
        published=int(owed.published[entry]),
        tried=int(snapshot.tried[entry]),
        pause_ms=float(snapshot.pause[entry] / MS),
        attempts=int(snapshot.attempts[entry]),
        final=bool(owed.final[entry]),
        terminated=bool(snapshot.terminated[entry]),
        witness=witness,
        alike=alike,
    )


def _finding(
    case: Case,
    verdict: Verdict,
    flow: str,
    key: str | None,
    state: State,
    blocked: list[str],
    cohorts_named: dict[tuple[tuple[str, ...], str, str], str],
) -> Finding:
    place = case.stopped_at
    triggers = [place.event_type]
    if case.debt in {Debt.JOIN, Debt.OTHER} and case.expectation is not None:
        triggers = sorted(case.expectation.triggers)
    service, cause = case.publisher or case.service, str(verdict.cause)
    # Which event of a join comes last is chance, and so is where the flow stopped.
    what = tuple(triggers), service, cause
    return Finding(
        flow=flow,
        key=key,
        state=state.word,
        since_unix_nano=case.since,
        overdue_s=round(case.overdue_s, 3),
        stopped_at=StoppedAt(
            ref=place.ref, event_type=place.event_type, service=place.service, destination=place.destination
        ),
        missing=Missing(
            service=service,
            group=case.group if case.publisher in {None, case.service} else case.publisher,
            next_event_type=case.next_event_type,
            triggers=triggers,
        ),
        cause=cause,
        sentence=verdict.sentence,
        expectation=_expectation(case),
        evidence=[Evidence(kind=fact.kind, ref=fact.ref, text=fact.text) for fact in verdict.evidence],
        blocked=blocked,
        cohort=cohorts_named.setdefault(what, f"c{len(cohorts_named) + 1}"),
        history=[],
    )


def _expectation(case: Case) -> Expectation | None:
    if case.expectation is None:
        return None
    pace = case.expectation.publish if case.debt is Debt.MESSAGE else case.expectation.react
    pace = case.pace or pace
    return Expectation(
        source=case.expectation.source,
        n=pace.n,
        p50_ms=pace.p50_ms,
        p95_ms=pace.p95_ms,
        p99_ms=pace.p99_ms,
        deadline_ms=case.deadline_ms,
    )


def _after(snapshot: Snapshot) -> "nx.DiGraph[str]":
    """Which event type normally leads to which."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    if snapshot.expected is not None:
        for expectation in snapshot.expected.steps.values():
            for emitted, share in expectation.emits:
                if share >= 0.5:
                    graph.add_edge(expectation.triggers[0], emitted)
    return graph


def _blocked(after: "nx.DiGraph[str]", start: str | None) -> list[str]:
    """The event types that normally follow the missing *start*, nearest first."""
    if start is None or start not in after:
        return []
    distance = nx.single_source_shortest_path_length(after, start)
    return sorted(
        (name for name, steps in distance.items() if steps), key=lambda name: (distance[name], name)
    )
