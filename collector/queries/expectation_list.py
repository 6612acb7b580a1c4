"""What is expected of whom after what, what has fallen, and what does calm rest on?"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from collector.diagnosis.declared import Responsible
from collector.diagnosis.standing import Absence, Change, Crowd, Standing, Standings, Unpaid
from collector.diagnosis.standing import Drop as Fallen
from collector.model.answers import (
    Changed,
    Decision,
    Drop,
    ExpectationKind,
    Expectations,
    ExpectedStep,
    NoteKind,
    RestsOn,
    ServiceNote,
)
from collector.model.decisions import Decision as Said
from collector.model.wording import HOUR, counted, moment, percent

MOST_DECISIONS = 1_000  # that are shown
_DAY = 24 * HOUR
_FEW = 3  # names that are listed
_KINDS: Mapping[str, ExpectationKind] = {
    "reaction": "reaction",
    "event": "publish",
    "join": "join",
    "input": "input",
}
_NOBODY = Responsible()


@dataclass(frozen=True)
class Only:
    """Which steps are wanted: after this event type, of this service; empty: all. Case does not matter."""

    event_type: str = ""
    service: str = ""

    def holds(self, service: str | None, event_types: Iterable[str]) -> bool:
        """Whether a step of *service* after *event_types* is wanted."""
        if self.service and self.service.casefold() != (service or "").casefold():
            return False
        return not self.event_type or self.event_type.casefold() in map(str.casefold, event_types)


def expectations(
    standings: Standings,
    decisions: Sequence[Said],
    only: Only,
    now: int,
    *,
    replayed: bool,
    responsible: Mapping[str, Responsible] | None = None,
    problem: str | None = None,
) -> Expectations:
    """What is known at *now*, as far as *only* wants it.

    *decisions* are oldest first. *responsible* says who looks after a service, *problem* what is wrong with
    the file of declared expectations.
    """
    wanted = [one for one in standings.standings if only.holds(one.service, one.triggers)]
    said = [one for one in decisions if only.holds(one.service, [one.event_type])]
    published = _published(standings.standings)
    reasons = {(one.at, one.author): one.reason for one in decisions}
    steps = [_step(one, published, reasons, (responsible or {}).get(one.service, _NOBODY)) for one in wanted]
    return Expectations(
        expectations=sorted(steps, key=_place),
        drops=[drop_of(one) for one in standings.drops if only.holds(one.service, [one.event_type])],
        decisions=[decision_of(one) for one in reversed(said[-MOST_DECISIONS:])],
        problem=problem,
        rests_on=rests_on(standings, now),
        replayed=replayed,
    )


def rests_on(standings: Standings, now: int) -> RestsOn:
    """What it rests on if nothing is called stuck at *now*."""
    states = [one.state for one in standings.standings]
    owed = sum(one.state == "always" and one.deadline_ms is not None for one in standings.standings)
    notes = [
        *(_unpaid(one, now) for one in standings.unpaid),
        *(_absent(one, now) for one in standings.absences),
        *map(_crowded, standings.crowds),
    ]
    rests = RestsOn(
        expected=owed + states.count("declared"),
        learning=states.count("learning"),
        sometimes=states.count("sometimes") + states.count("always") - owed,
        forgotten=states.count("forgotten"),
        changed_24h=sum(_changed(one.history, now - _DAY) for one in standings.standings),
        dropped=len(standings.drops),
        ended_more=sum(one.window - one.hits for one in standings.drops if one.kind == "follow"),
        disused=sum(one.disused for one in standings.standings),
        sentence="",
        notes=notes,
    )
    return msgspec.structs.replace(rests, sentence=_calm(rests))


def _absent(one: Absence, now: int) -> ServiceNote:
    since = moment(one.since, now)
    text = (
        f"No span of {one.service} since {since}, but {counted(one.effects, 'reaction')} to what it "
        "publishes: it works, and its telemetry is missing."
    )
    return _note("telemetry_missing", one.service, one.since, text)


def _crowded(one: Crowd) -> ServiceNote:
    return _note("crowded", "__other__", one.since, one.text)


def _unpaid(one: Unpaid, now: int) -> ServiceNote:
    """Such as "fraud did not react to OrderPlaced in 12 flows that had ended (OrderCancelled)"."""
    who, after = _who(one.service, one.group), " and ".join(one.triggers)
    what = {
        "react": f"did not react to {after}",
        "succeed": f"failed to handle {after}",
        "publish": f"took {after} and did not publish {one.missing}",
    }[one.kind]
    ended = f"in {counted(one.count, 'flow')} that had ended ({_some(one.ends)})"
    when = f"at {moment(one.since, now)}"
    if one.count > 1:
        when = f"between {moment(one.since, now)} and {moment(one.last, now)}"
    text = f"{who} {what} {ended}, {when}: {'none is' if one.count > 1 else 'it is not'} stuck by that."
    return _note("ended_flows_owed", one.service, one.since, text, one.flows)


def _some(names: Sequence[str]) -> str:
    """`OrderCancelled`, `OrderCancelled, OrderExpired and 3 others`."""
    if len(names) <= _FEW:
        return ", ".join(names)
    return f"{', '.join(names[: _FEW - 1])} and {len(names) - _FEW + 1} others"


def _note(kind: NoteKind, service: str, since: int, text: str, flows: Sequence[str] = ()) -> ServiceNote:
    return ServiceNote(kind=kind, service=service, since_unix_nano=since, text=text, flows=list(flows))


def _calm(rests: RestsOn) -> str:
    """Such as "Rests on 12 expected steps; 3 still learning; 1 forgotten; 2 changed in the last 24 h."."""
    parts = [
        (rests.learning, "still learning"),
        (rests.sometimes, "watched as a share"),
        (rests.forgotten, "forgotten"),
        (rests.changed_24h, "changed in the last 24 h"),
        (rests.disused, "not seen for a day"),
    ]
    expected = counted(rests.expected, "expected step") if rests.expected else "no expected step"
    return (
        "; ".join([f"Rests on {expected}", *(f"{number:,} {what}" for number, what in parts if number)]) + "."
    )


def drop_of(fallen: Fallen) -> Drop:
    """The answer's form of *fallen*."""
    return Drop(
        kind=fallen.kind,
        event_type=fallen.event_type,
        service=fallen.service,
        group=fallen.group,
        missing=fallen.missing,
        share=round(fallen.share, 4),
        n=fallen.n,
        hits=fallen.hits,
        window=fallen.window,
        since_unix_nano=fallen.since,
        flows=list(fallen.flows),
        sentence=_sentence(fallen),
    )


def decision_of(said: Said) -> Decision:
    """The answer's form of *said*."""
    return Decision(
        time_unix_nano=said.at,
        word=said.word,
        event_type=said.event_type,
        service=said.service,
        author=said.author,
        reason=said.reason,
    )


def _changed(history: Sequence[Change], since: int) -> bool:
    """Whether something changed after *since*, other than being learned or declared for the first time."""
    before = [None, *(change.state for change in history)]
    return any(
        change.at > since
        and (change.author is not None or change.state == "forgotten" or earlier not in (None, "learning"))
        for change, earlier in zip(history, before, strict=False)
    )


def _published(standings: Iterable[Standing]) -> dict[tuple[tuple[str, ...], str, str], list[str]]:
    """What each group is known to publish after what, the most frequent first."""
    found: dict[tuple[tuple[str, ...], str, str], list[str]] = {}
    for one in sorted(standings, key=lambda one: -one.share):
        if one.kind == "event" and one.event_type is not None and one.state != "forgotten":
            found.setdefault((one.triggers, one.service, one.group), []).append(one.event_type)
    return found


def _step(
    one: Standing,
    published: Mapping[tuple[tuple[str, ...], str, str], list[str]],
    reasons: Mapping[tuple[int, str], str],
    responsible: Responsible,
) -> ExpectedStep:
    publishes = [one.event_type] if one.kind in ("event", "join") and one.event_type else []
    if one.kind == "reaction":
        publishes = published.get((one.triggers, one.service, one.group), [])
    return ExpectedStep(
        kind=_KINDS[one.kind],
        event_type=one.triggers[0],
        triggers=list(one.triggers),
        service=one.service,
        group=one.group,
        publishes=publishes,
        needs=one.event_type if one.kind == "input" else None,
        state=one.state,
        said=_state(one),
        why=_why(one),
        source="declared" if one.state == "declared" else "learned",
        share=round(one.share, 4),
        n=one.n,
        needed=one.needed,
        p50_ms=one.pace.p50_ms if one.pace else None,
        p95_ms=one.pace.p95_ms if one.pace else None,
        p99_ms=one.pace.p99_ms if one.pace else None,
        deadline_ms=one.deadline_ms,
        since_unix_nano=one.since,
        kept_unix_nano=one.kept or None,
        missed=one.missed,
        recent=one.recent,
        disused=one.disused,
        owner=responsible.owner,
        runbook=responsible.runbook,
        history=[
            Changed(
                time_unix_nano=change.at,
                state=change.state,
                change=change.text,
                by="person" if change.author is not None else "learning",
                author=change.author,
                reason=reasons.get((change.at, change.author)) if change.author is not None else None,
            )
            for change in one.history
        ],
    )


def _place(step: ExpectedStep) -> tuple[str, list[str], str, int, str]:
    kinds = list(_KINDS.values())
    what = step.needs or ", ".join(step.publishes)
    return step.service, step.triggers, step.group, kinds.index(step.kind), what


def _state(one: Standing) -> str:
    if one.state == "learning":
        return f"learning {one.n:,} of {one.needed:,}"
    return f"sometimes {percent(one.share)}" if one.state == "sometimes" else one.state


def _why(one: Standing) -> str:
    """What is expected, and how that is known."""
    known = f"in {percent(one.share)} of {one.n:,} cases"
    tail = {
        "learning": f"{counted(one.n, 'case')} of {one.needed:,} that make it known",
        "always": f"always, {known}{_unawaited(one)}",
        "sometimes": f"sometimes, {known}",
        "declared": "as declared",
        "forgotten": "not expected any more",
    }[one.state]
    return f"{_what(one)}: {tail}."


def _unawaited(one: Standing) -> str:
    """What is said of a reaction that only ends a branch."""
    return "" if one.deadline_ms is not None else "; no flow waits for it, but a fall of its share is told"


def _what(one: Standing) -> str:
    who, after = _who(one.service, one.group), " and ".join(one.triggers)
    if one.kind == "reaction":
        return f"{who} takes {after}"
    if one.kind == "event":
        return f"{who} publishes {one.event_type} after {after}"
    if one.kind == "join":
        return f"{who} publishes {one.event_type} once it has taken {after}"
    return f"{who} needs {one.event_type} as well, once it has taken {' or '.join(one.triggers)}"


def _sentence(fallen: Fallen) -> str:
    """Such as "audit normally takes 30 % of StockReserved; it took 0 of the last 60."."""
    event_type, normal = fallen.event_type, percent(fallen.share)
    last = f"{fallen.hits:,} of the last {fallen.window:,}"
    if fallen.kind == "follow":
        return f"Normally {normal} of {event_type} lead to anything; {last} did."
    who = _who(fallen.service or "nobody known", fallen.group)
    if fallen.kind == "publish":
        return (
            f"{who} normally publishes {fallen.missing} after {normal} of {event_type}; it did after {last}."
        )
    return f"{who} normally takes {normal} of {event_type}; it took {last}."


def _who(service: str, group: str | None) -> str:
    return service if group in (None, service) else f"{service} (group {group})"
