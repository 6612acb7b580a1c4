"""A flow as a reader sees it: cards, pills and ghosts, and what led from one to the next.

A message is a card, and the reaction that published it is part of that card. A
reaction that published nothing is a pill. What the diagnosis says is owed is a
ghost, so that every view draws what is missing, with what it blocks below it.
All of this is a pure function of the API's document of one flow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from dashboard import words
from dashboard.expectation_shapes import Note
from dashboard.shapes import Clocks, Edge, Finding, Flow, Message, Reaction

# One step in a hundred takes longer than the p99, and a flow has dozens of steps. So
# only a step that takes a multiple of the p99 counts as slow.
SLOW_TIMES = 2.0

Kind = Literal["message", "reaction", "ghost", "blocked", "unseen"]


@dataclass(frozen=True)
class Step:
    """One box of the drawing.

    `at` is when it became visible (ns), `began` when its reaction started.
    `wait_ms` and `work_ms` are the reaction's, None if unknown. `across_clocks`
    says that the wait is the difference between two services' clocks. `skew_ms`
    is the measured wait if it was negative, because the clocks disagree. `due`
    is when a ghost should have appeared.
    """

    id: str
    kind: Kind
    title: str
    service: str
    at: int
    began: int | None = None
    wait_ms: float | None = None
    across_clocks: bool = False
    work_ms: float | None = None
    skew_ms: float | None = None
    attempts: int = 1
    state: str = ""
    message: Message | None = None
    reaction: Reaction | None = None
    finding: Finding | None = None
    names: tuple[str, ...] = ()
    due: int | None = None


def urgency(step: Step) -> int:
    """Rank a step by how much attention it needs: 1 missing, 2 failed, 3 slow, 0 none."""
    if step.kind == "ghost":
        return 1
    if step.kind == "blocked":
        return 0
    return {"failed": 2, "late": 3}.get(step.state, 0)


@dataclass(frozen=True)
class Link:
    """One box led to another, and how that is known."""

    source: str
    target: str
    because: str = ""
    certainty: str = "observed"
    missing: bool = False


@dataclass(frozen=True)
class Steps:
    """All boxes, by the time they were first seen, and their links."""

    steps: tuple[Step, ...]
    links: tuple[Link, ...]
    by_id: dict[str, Step] = field(default_factory=dict)
    depth: dict[str, int] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    clocks: tuple[Clocks, ...] = ()
    part: bool = False  # of a larger flow: what a step follows from may lie in another part
    offsets: dict[int, str] = field(default_factory=dict)  # how far after the first step, by its time

    def offset(self, step: Step) -> str:
        """Say how long after the first one *step* was."""
        return self.offsets.get(step.at, "")

    def causes(self, step: str) -> list[Link]:
        """Return the links that lead to *step*."""
        return [link for link in self.links if link.target == step]

    def effects(self, step: str) -> list[Link]:
        """Return the links that lead on from *step*."""
        return [link for link in self.links if link.source == step]

    def find(self, ref: str | None) -> Step | None:
        """Return the step that *ref* identifies or is a part of, or None."""
        if not ref:
            return None
        if ref in self.by_id:
            return self.by_id[ref]
        return next((step for step in self.steps if ref in _refs(step)), None)


def steps(flow: Flow) -> Steps:
    """Turn the document of one flow into boxes and links."""
    messages = {message.ref: message for message in flow.messages}
    reactions = {reaction.ref: reaction for reaction in flow.reactions}
    incoming = _grouped((edge.target, edge) for edge in flow.edges if edge.kind == "delivery")
    makers = _grouped((edge.target, edge) for edge in flow.edges if edge.kind == "cause")
    publishing = {edge.source for edge in flow.edges if edge.kind == "cause" and edge.target in messages}

    drawn: list[Step] = []
    links: list[Link] = []
    for message in flow.messages:
        made = [
            (edge, reactions[edge.source]) for edge in makers.get(message.ref, ()) if edge.source in reactions
        ]
        drawn.append(_card(message, made[0][1] if made else None))
        for cause, reaction in made:
            links += _led(incoming.get(reaction.ref, ()), reaction, message.ref, cause)
    for reaction in flow.reactions:
        if reaction.ref not in publishing:
            drawn.append(_pill(reaction))
            links += _led(incoming.get(reaction.ref, ()), reaction, reaction.ref)

    links = list(dict.fromkeys(links))
    unseen = {link.source for link in links if link.source not in messages}
    drawn += [_unseen(source, links, drawn) for source in sorted(unseen)]
    drawn.sort(key=lambda step: (step.at, step.kind != "unseen", step.kind == "reaction", step.id))
    known = Steps(tuple(drawn), tuple(links), {step.id: step for step in drawn})
    for place, finding in enumerate(flow.findings):
        if finding.state != "running":
            _owe(drawn, links, known, finding, place)
    by_id = {step.id: step for step in drawn}
    return Steps(
        tuple(drawn),
        tuple(links),
        by_id,
        _depths(drawn, links),
        tuple(flow.notes),
        tuple(flow.clocks),
        part=flow.shown < flow.spans,
        offsets=_offsets(drawn),
    )


def _offsets(drawn: list[Step]) -> dict[int, str]:
    start = drawn[0].at if drawn else 0
    said = words.offsets(step.at - start for step in drawn)
    return {step.at: said[step.at - start] for step in drawn}


def _card(message: Message, reaction: Reaction | None) -> Step:
    wait, skew = _wait(reaction)
    return Step(
        id=message.ref,
        kind="message",
        title=message.event_type or message.destination or "message",
        service=message.service or "unknown service",
        at=message.time_unix_nano,
        began=reaction.start_unix_nano if reaction else None,
        wait_ms=wait,
        across_clocks=reaction is not None and reaction.wait_across_clocks,
        work_ms=_work(reaction),
        skew_ms=skew,
        attempts=reaction.attempts if reaction else 1,
        state=_state(reaction),
        message=message,
        reaction=reaction,
    )


def _pill(reaction: Reaction) -> Step:
    wait, skew = _wait(reaction)
    return Step(
        id=reaction.ref,
        kind="reaction",
        title=reaction.service or reaction.group or "reaction",
        service=reaction.service or "unknown service",
        at=reaction.start_unix_nano,
        began=reaction.start_unix_nano,
        wait_ms=wait,
        across_clocks=reaction.wait_across_clocks,
        work_ms=_work(reaction),
        skew_ms=skew,
        attempts=reaction.attempts,
        state=_state(reaction),
        reaction=reaction,
    )


def _unseen(source: str, links: Iterable[Link], drawn: Iterable[Step]) -> Step:
    led = {link.target for link in links if link.source == source}
    first = min((step.began or step.at for step in drawn if step.id in led), default=0)
    return Step(
        id=source, kind="unseen", title="cause not seen", service="before retention, or lost", at=first
    )


def _led(
    deliveries: Iterable[Edge], reaction: Reaction, target: str, cause: Edge | None = None
) -> Iterator[Link]:
    """Link everything that was delivered to *reaction* to its result, *target*."""
    seen = False
    for delivery in deliveries:
        seen = True
        # One line stands for two edges, and is as certain as the less certain of them.
        weaker = cause if cause and cause.certainty == "inferred" else delivery
        yield Link(delivery.source, target, weaker.because, weaker.certainty)
    if not seen:
        yield Link(f"unseen:{reaction.ref}", target, "", "inferred")


def _owe(drawn: list[Step], links: list[Link], known: Steps, finding: Finding, place: int) -> None:
    """Add the ghost of what *finding* says is missing, and what it blocks."""
    owed = finding.missing
    anchor = _anchor(known, finding)
    title = owed.next_event_type or (f"reaction of {owed.service}" if owed.service else "a reaction")
    ghost = Step(
        id=f"ghost:{place}",
        kind="ghost",
        title=title,
        service=owed.service or "nobody known",
        at=finding.since_unix_nano,
        state=finding.state,
        finding=finding,
        due=finding.since_unix_nano + round(_usual(finding) * 1_000_000),
    )
    drawn.append(ghost)
    if anchor:
        links.append(Link(anchor.id, ghost.id, "", "observed", missing=True))
    if finding.blocked:
        blocked = Step(
            id=f"blocked:{place}",
            kind="blocked",
            title=f"{len(finding.blocked)} later step{'s' * (len(finding.blocked) > 1)} blocked",
            service="",
            at=finding.since_unix_nano,
            state=finding.state,
            finding=finding,
            names=tuple(finding.blocked),
        )
        drawn.append(blocked)
        links.append(Link(ghost.id, blocked.id, "", "observed", missing=True))


def _usual(finding: Finding) -> float:
    return (finding.expectation and finding.expectation.p99_ms) or 0.0


def _anchor(known: Steps, finding: Finding) -> Step | None:
    """Find the step above the ghost: the owing service's own pill, if it has one."""
    stopped = known.find(finding.stopped_at.ref)
    if stopped is None:
        return known.steps[-1] if known.steps else None
    owing = finding.missing.service
    for link in known.effects(stopped.id):
        pill = known.by_id[link.target]
        if pill.kind == "reaction" and owing and pill.service == owing:
            return pill
    return stopped


def _wait(reaction: Reaction | None) -> tuple[float | None, float | None]:
    if reaction is None or reaction.wait_ms is None:
        return None, None
    return max(reaction.wait_ms, 0.0), (reaction.wait_ms if reaction.wait_ms < 0 else None)


def _work(reaction: Reaction | None) -> float | None:
    if reaction is None:
        return None
    if reaction.work_ms is not None:
        return max(reaction.work_ms, 0.0)
    return max(reaction.end_unix_nano - reaction.start_unix_nano, 0) / 1_000_000


def _state(reaction: Reaction | None) -> str:
    if reaction is None:
        return ""
    if reaction.status == "error":
        return "failed"
    usual = reaction.expected.p99_ms if reaction.expected else None
    spent = (reaction.wait_ms or 0.0) + (_work(reaction) or 0.0)
    return "late" if usual and spent > SLOW_TIMES * usual else ""


def _refs(step: Step) -> set[str]:
    """Return every span that *step* stands for."""
    refs = set(step.message.spans) if step.message else set()
    if step.reaction:
        refs |= {step.reaction.ref, *step.reaction.spans}
    return refs


def _grouped(pairs: Iterable[tuple[str, Edge]]) -> dict[str, list[Edge]]:
    groups: dict[str, list[Edge]] = {}
    for key, edge in pairs:
        groups.setdefault(key, []).append(edge)
    return groups


def _depths(drawn: Iterable[Step], links: Iterable[Link]) -> dict[str, int]:
    """Return how far each step is from the start of the flow, along the shortest path."""
    below: dict[str, list[str]] = {}
    for link in links:
        below.setdefault(link.source, []).append(link.target)
    caused = {link.target for link in links if link.source != link.target}
    starts = [step.id for step in drawn if step.id not in caused]
    depth = dict.fromkeys(starts, 0)
    queue = list(starts)
    for source in queue:
        for target in below.get(source, ()):
            if target not in depth:
                depth[target] = depth[source] + 1
                queue.append(target)
    return {step.id: depth.get(step.id, 0) for step in drawn}
