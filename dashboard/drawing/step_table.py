"""What does the table of a flow have in its rows? A message, a reaction or something missing in each.

The drawings make one card of a message and the reaction that published it. Here each has a row, because a
table is searched and counted; the row of such a reaction knows the step that it is part of.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypedDict

from dashboard import words
from dashboard.drawing.steps import Step, Steps
from dashboard.shapes import Edge, Flow

MOST_ROWS = 10_000
# Programs that calculate with tables run what begins like this, after spaces too.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


class Row(TypedDict):
    """One row. Times are nanoseconds, durations milliseconds; texts are as their senders wrote them."""

    time_unix_nano: int
    after_ms: float
    kind: str
    event_type: str
    service: str
    group: str
    state: str
    wait_ms: float | None
    work_ms: float | None
    attempts: int | None
    caused_by: str
    because: str
    certainty: str
    destination: str
    said: str
    ref: str


def rows(found: Steps, flow: Flow) -> tuple[list[Row], list[str]]:
    """The rows by time, and the id of the step that each is part of; at most `MOST_ROWS`."""
    start = found.steps[0].at if found.steps else 0
    names = {message.ref: message.event_type or message.destination or "message" for message in flow.messages}
    names |= {reaction.ref: reaction.service or reaction.group or "reaction" for reaction in flow.reactions}
    causes: dict[str, Edge] = {}
    for edge in flow.edges:
        causes.setdefault(edge.target, edge)
    made = [*_messages(found, flow), *_reactions(found, flow), *_missing(found)]
    for row, _ in made:
        row["after_ms"] = (row["time_unix_nano"] - start) / 1e6
        if cause := causes.get(row["ref"]):
            row["caused_by"] = names.get(cause.source, "not seen")
            row["because"] = words.BECAUSES.get(cause.because, cause.because.replace("_", " "))
            row["certainty"] = cause.certainty
    made.sort(key=lambda pair: (pair[0]["time_unix_nano"], pair[0]["kind"], pair[0]["ref"]))
    return [row for row, _ in made[:MOST_ROWS]], [step for _, step in made[:MOST_ROWS]]


def _row(kind: str, at: int, **known: Any) -> Row:
    row: Row = {
        "time_unix_nano": at,
        "after_ms": 0.0,
        "kind": kind,
        "event_type": "",
        "service": "",
        "group": "",
        "state": "",
        "wait_ms": None,
        "work_ms": None,
        "attempts": None,
        "caused_by": "",
        "because": "",
        "certainty": "",
        "destination": "",
        "said": "",
        "ref": "",
    }
    row.update({name: value for name, value in known.items() if value is not None})  # type: ignore[typeddict-item]
    return row


def _messages(found: Steps, flow: Flow) -> Iterator[tuple[Row, str]]:
    for one in flow.messages:
        row = _row(
            "message",
            one.time_unix_nano,
            event_type=one.event_type,
            service=one.service,
            destination=one.destination,
            said=one.status_message,
            ref=one.ref,
        )
        yield row, one.ref


def _reactions(found: Steps, flow: Flow) -> Iterator[tuple[Row, str]]:
    part_of = {step.reaction.ref: step for step in found.steps if step.reaction}
    for one in flow.reactions:
        step = part_of.get(one.ref)
        row = _row(
            "reaction",
            one.start_unix_nano,
            event_type=one.event_type,
            service=one.service,
            group=one.group,
            state="failed" if one.status == "error" else step.state if step else "",
            wait_ms=one.wait_ms,
            work_ms=one.work_ms,
            attempts=one.attempts,
            destination=one.destination,
            said=one.status_message,
            ref=one.ref,
        )
        yield row, step.id if step else one.ref


def _missing(found: Steps) -> Iterator[tuple[Row, str]]:
    for step in found.steps:
        if step.kind == "ghost":
            yield _row("missing", step.at, **_owed(step)), step.id


def _owed(step: Step) -> dict[str, Any]:
    finding = step.finding
    if finding is None:
        return {"event_type": step.title, "service": step.service, "state": step.state}
    owed, stopped = finding.missing, finding.stopped_at
    return {
        "event_type": owed.next_event_type,
        "service": owed.service,
        "group": owed.group,
        "state": step.state,
        "caused_by": stopped.event_type,
        "said": finding.sentence,
    }


def harmless(text: str) -> str:
    """*text* for a file that is opened by a program which calculates: it is text there, however it begins."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULAS) else text
