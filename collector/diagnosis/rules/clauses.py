"""Clauses that several rules share."""

from collections.abc import Iterator

from collector.diagnosis.debts import Debt
from collector.diagnosis.findings import Case, Evidence
from collector.model.wording import counted, duration


def published(case: Case) -> Evidence:
    """The span of the message that is waited for."""
    place = case.stopped_at
    ago = duration((case.now - case.since) / 1e9)
    return Evidence("span", place.ref, f"{place.service} published {place.event_type}{on(case)} {ago} ago")


def on(case: Case) -> str:
    """Where it was published; empty if unknown."""
    return f" on {case.stopped_at.destination}" if case.stopped_at.destination else ""


def unanswered(case: Case) -> Iterator[Evidence]:
    """The request of the handling that got no reply, if there is one."""
    if (request := case.witness) is not None:
        why = f": {quoted(request.error)}" if request.error else ""
        asked = f"{request.service} asked {request.event_type} meanwhile and got no answer{why}"
        yield Evidence("span", request.ref, asked)


def habit(case: Case) -> str:
    """What normally happens, and from how many examples that is known."""
    expectation = case.expectation
    if expectation is None:
        return "nothing is known yet of what normally happens here"
    pace = expectation.publish if case.debt is Debt.MESSAGE else expectation.react
    if case.debt in {Debt.MESSAGE, Debt.JOIN}:
        return f"normally {expectation.share:.0%} are followed by it ({counted(pace.n, 'example')})"
    return (
        f"normally {expectation.share:.0%} get their reaction, 99 of 100 within "
        f"{duration(pace.p99_ms / 1e3)} ({counted(pace.n, 'example')})"
    )


def next_event(case: Case) -> str:
    """What normally comes next."""
    return case.next_event_type or "the next event"


def sender(case: Case) -> str:
    """Whose message it is, unless it is the service's own."""
    return f" from {case.stopped_at.service}" if case.stopped_at.service != case.service else ""


def reactor(case: Case) -> str:
    """The service that owes it, with its group if that has another name."""
    return case.service if case.group == case.service else f"{case.service} ({case.group})"


def quoted(text: str | None) -> str:
    """*text* on one line, cut if it is long."""
    text = " ".join((text or "").split())
    return text if len(text) <= 160 else text[:159] + "…"
