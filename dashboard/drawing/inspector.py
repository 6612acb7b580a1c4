"""What does the inspector show of one step? Times, causes, evidence, attributes and ids."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from dashboard import words
from dashboard.drawing.steps import Link, Step, Steps, urgency

Data = dict[str, Any]

# An attribute can be megabytes, and more than this stalls a browser. The API has all of it.
LONGEST_VALUE = 200_000
# Which attributes matter first, by the beginnings of their names. What is in no row is the service's own, and
# comes after the first; the last rows say where and by what a span was made.
RANKS = (
    ("error.", "exception.", "messaging.message.", "messaging."),
    ("rpc.", "http.", "url.", "db.", "net.", "network.", "server.", "client.", "peer.", "user_agent."),
    ("code.", "thread.", "telemetry.", "otel.", "process.", "host.", "os.", "container.", "k8s.", "cloud."),
)
MOST_NOTES = 60
# What led to a step, or followed from it, may be thousands.
MOST_NEIGHBOURS = 40


def worth_reading(steps: Steps) -> Step:
    """Return the step to show before one is selected: a missing one, else a failed one, else the first."""
    ranked = sorted(steps.steps, key=lambda step: (step.kind != "ghost", step.state != "failed"))
    return ranked[0]


def inspect(steps: Steps, step: Step, colour: Callable[[str], str], *, alike: int = 1) -> Data:
    """Collect everything that is known about *step*, which is drawn as one with *alike* steps."""
    data: Data = {
        "title": step.title,
        "service": step.service,
        "colour": colour(step.service) if step.kind not in {"unseen", "blocked"} else None,
        "at": steps.offset(step),
        "time": step.at,
        "timed": step.kind in {"message", "reaction"},
        "waited": waited(step),
        "worked": words.duration(step.work_ms),
        "remarks": list(_remarks(step)),
        "rootless": "nothing in this part of the flow" if steps.part else None,
        "facts": [*_stacked(alike), *_clocks(steps, step), *_settled(step)],
        "causes": _neighbours(steps, [(link, link.source) for link in steps.causes(step.id)], colour),
        "effects": _neighbours(steps, [(link, link.target) for link in steps.effects(step.id)], colour),
        "ids": _ids(step),
        **_notes(steps, step),
        "attributes": [],
        "resource": [],
    }
    if step.kind == "ghost":
        return {**data, **_owed(steps, step)}
    if step.state:
        data["badge"] = {"state": step.state, "text": "slow" if step.state == "late" else step.state}
    elif step.kind == "reaction":
        data["badge"] = {"state": "", "text": "published nothing"}
    if step.kind == "blocked":
        data["blocked"] = list(step.names)
    data["attributes"] = _pairs(step, "attributes")
    data["resource"] = _pairs(step, "resource")
    return data


def _owed(steps: Steps, step: Step) -> Data:
    finding = step.finding
    if finding is None:
        return {}
    expected = finding.expectation
    usual = None
    if expected and expected.p50_ms is not None:
        flows = words.count(expected.n, "flow")
        usual = (
            f"Normally within {words.duration(expected.p50_ms)} (half of {flows}) "
            f"to {words.duration(expected.p99_ms)} (99 of 100); {expected.source}."
        )
        # A handler that publishes while it works has no time of its own to be late by.
        if not expected.p99_ms:
            usual = f"Normally at once, while it handles what it took ({flows}; {expected.source})."
    evidence = []
    for item in finding.evidence:
        proof = steps.find(item.ref)
        evidence.append({"text": item.text, "id": proof.id if proof else None})
    evidence += [{"text": f"Said before: {one.because}", "id": None} for one in finding.history[:-1]]
    return {
        "badge": {"state": finding.state, "text": "not seen"},
        "at": "",
        "timed": False,
        "sentence": words.marked(
            f"{step.service} {words.cause(finding.cause)}.", codes=[], strongs=[step.service]
        ),
        "expected": usual,
        "evidence": evidence,
        "rootless": "unknown",
        "blocked": list(finding.blocked) or None,
    }


def _remarks(step: Step) -> Iterable[str]:
    if step.skew_ms is not None:
        yield (
            f"It began {words.duration(-step.skew_ms)} before its message was sent: the clocks of the two "
            "hosts disagree. The wait is drawn as none."
        )
    if step.attempts > 1:
        yield f"{step.attempts} attempts."
    if step.reaction and step.reaction.status_message:
        yield step.reaction.status_message


def waited(step: Step) -> str:
    """Format how long a step waited, with a `~` if two clocks measured it."""
    return f"~{words.duration(step.wait_ms)}" if step.across_clocks else words.duration(step.wait_ms)


def _clocks(steps: Steps, step: Step) -> Iterable[str]:
    """Describe what is known about the two clocks that measured the wait."""
    if not step.across_clocks or step.wait_ms is None or step.skew_ms is not None:
        return  # a skew already has a remark and a note
    takes = step.service
    for publishes in dict.fromkeys(steps.by_id[link.source].service for link in steps.causes(step.id)):
        if publishes == takes:
            continue
        yield f"The wait is by two clocks: {publishes} sent, {takes} took." + _apart(steps, publishes, takes)


def _apart(steps: Steps, service: str, other: str) -> str:
    for known in steps.clocks:
        ahead, least, most = known.ahead_ms, known.at_least_ms, known.at_most_ms
        if (known.service, known.other) == (other, service):
            ahead = None if ahead is None else -ahead
            least, most = (None if one is None else -one for one in (most, least))
        elif (known.service, known.other) != (service, other):
            continue
        said = words.apart(ahead, least, most)
        return f" By their messages, the clock of {other} is {said} that of {service}." if said else ""
    return ""


def _stacked(alike: int) -> Iterable[str]:
    if alike > 1:
        yield f"One of {alike:,} that are alike and drawn as one: what is said here is of this one alone."


def _settled(step: Step) -> Iterable[str]:
    """Say how the messages of a reaction were settled, and how often they were delivered."""
    reaction = step.reaction
    if reaction is None:
        return
    ways = {
        "given back": reaction.nacked,
        "terminated": reaction.terminated,
        "acknowledged": reaction.acked,
        "settled": reaction.settled - reaction.acked - reaction.nacked - reaction.terminated,
    }
    said = [way if times == 1 else f"{way} {times} times" for way, times in ways.items() if times > 0]
    if said:
        yield f"{', '.join(said).capitalize()}."
    if reaction.deliveries is not None and reaction.deliveries > 1:
        yield f"Delivered {reaction.deliveries} times, by the broker's count."


def _notes(steps: Steps, step: Step) -> Data:
    """Return the notes on this step, and those on the rest of the flow."""
    here: list[Data] = []
    elsewhere: list[Data] = []
    for note in steps.notes[:MOST_NOTES]:
        about = steps.find(note.ref)
        item = {"ref": note.ref}
        if about and about.id == step.id:
            here.append({**item, "text": note.text, "id": None})
        else:
            of = f" of {about.title}" if about else ""
            text = f"{note.kind.replace('_', ' ')}{of}: {note.text}"
            elsewhere.append({**item, "text": text, "id": about.id if about else None})
    if len(steps.notes) > MOST_NOTES:
        text = f"showing {MOST_NOTES} of {len(steps.notes):,} notes"
        elsewhere.append({"ref": None, "text": text, "id": None})
    return {"notes": here, "elsewhere": elsewhere}


def _neighbours(steps: Steps, ends: Iterable[tuple[Link, str]], colour: Callable[[str], str]) -> list[Data]:
    """Describe what is at the *ends* of links, those that need attention first if there are too many."""
    there = [(link, other) for link, other in ends if steps.by_id[other].kind != "blocked"]
    if len(there) > MOST_NEIGHBOURS:
        there.sort(key=lambda end: urgency(steps.by_id[end[1]]) or 4)
    told = [_neighbour(steps, link, other, colour) for link, other in there[:MOST_NEIGHBOURS]]
    if more := len(there) - len(told):
        told.append({"more": f"and {more:,} more"})
    return told


def _neighbour(steps: Steps, link: Link, other: str, colour: Callable[[str], str]) -> Data:
    step = steps.by_id[other]
    because = words.BECAUSES.get(link.because, link.because.replace("_", " "))
    return {
        "id": step.id,
        "title": step.title,
        "colour": colour(step.service) if step.kind not in {"unseen", "blocked"} else None,
        "at": steps.offset(step) if step.kind in {"message", "reaction"} else "not seen",
        "because": because + (" \u00b7 inferred" if link.certainty == "inferred" else ""),
        "certainty": link.certainty,
    }


def _ids(step: Step) -> list[tuple[str, str]]:
    ids: list[tuple[str, str]] = []
    for name, part in (("message", step.message), ("reaction", step.reaction)):
        if part:
            trace, _, span = part.ref.partition(":")
            ids += [(f"{name} span", span), ("trace", trace)]
    if step.message and step.message.destination:
        ids.append(("destination", step.message.destination))
    elif step.reaction and step.reaction.destination:
        ids.append(("destination", step.reaction.destination))
    if step.reaction and step.reaction.group:
        ids.append(("consumer group", step.reaction.group))
    return list(dict.fromkeys(ids))


def _pairs(step: Step, what: str) -> list[tuple[str, str]]:
    """Return the attributes of the message and of the reaction, those that matter first."""
    sides = {
        name: getattr(part, what)
        for name, part in (("message", step.message), ("reaction", step.reaction))
        if part is not None
    }
    names = {name for attributes in sides.values() for name in attributes}
    pairs: list[tuple[str, str]] = []
    for name in sorted(names, key=lambda name: (*_rank(name), name)):
        said = {side: _text(attributes[name]) for side, attributes in sides.items() if name in attributes}
        if len(set(said.values())) == 1:
            pairs.append((name, next(iter(said.values()))))
        else:  # such as what each of the two did: "send", and "process"
            pairs += [(f"{name} ({side})", text) for side, text in said.items()]
    return pairs


def _rank(name: str) -> tuple[int, int]:
    for rank, beginnings in enumerate(RANKS):
        for place, beginning in enumerate(beginnings):
            if name.startswith(beginning):
                return (rank if rank == 0 else rank + 1), (place if rank == 0 else 0)
    return 1, 0


def _text(value: object) -> str:
    whole = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if len(whole) <= LONGEST_VALUE:
        return whole
    return f"{whole[:LONGEST_VALUE]}\u2026 (the first {LONGEST_VALUE:,} of {len(whole):,} characters)"
