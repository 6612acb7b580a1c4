"""Why did a flow stop? One rule per cause, tried in the order of `RULES`; the first with proof answers.

A new cause is a module here with a rule, and a line in `RULES`. The rule's name is that of the cause: scripts
rely on it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from collector.diagnosis.findings import Case, Finding, Life, Proof
from collector.diagnosis.rules.backlog import backlog
from collector.diagnosis.rules.consumer_down import consumer_down
from collector.diagnosis.rules.context_lost import context_lost
from collector.diagnosis.rules.gave_up import gave_up
from collector.diagnosis.rules.handler_failed import handler_failed
from collector.diagnosis.rules.handler_silent import handler_silent
from collector.diagnosis.rules.not_acknowledged import not_acknowledged
from collector.diagnosis.rules.unknown import unknown
from collector.diagnosis.rules.waiting_for_other import waiting_for_other

Rule = Callable[[Case, Life], Proof | None]

RULES: tuple[Rule, ...] = (
    gave_up,
    handler_failed,
    waiting_for_other,
    context_lost,
    handler_silent,
    not_acknowledged,
    consumer_down,
    backlog,
    unknown,
)
CAUSES = tuple(rule.__name__ for rule in RULES)


def diagnose(case: Case, life: Life) -> Finding:
    """The answer of the first rule that has one."""
    for cause, rule in zip(CAUSES, RULES, strict=True):
        if (proof := rule(case, life)) is not None:
            return Finding(proof.sentence, proof.evidence, cause)
    raise AssertionError(f"{CAUSES[-1]} answers always")


def turns(case: Case, journal: Sequence[tuple[int, Life]]) -> list[tuple[int, Finding]]:
    """(when, finding) for each time that its cause changed since it was overdue, oldest first.

    *journal* has the life of the reactor each time that it changed.
    """
    due = case.since + int(case.deadline_ms * 1e6)
    before = [entry for entry in journal if entry[0] <= due][-1:]
    found: list[tuple[int, Finding]] = []
    for at, life in [*((due, life) for _, life in before), *(entry for entry in journal if entry[0] > due)]:
        verdict = diagnose(replace(case, now=at), life)
        if not found or found[-1][1].cause != verdict.cause:
            found.append((at, verdict))
    return found
