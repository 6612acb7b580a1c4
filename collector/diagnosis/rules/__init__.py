"""Why did a flow stop? One rule per cause, tried in the order of `RULES`; the first with proof answers.

A new cause is a module here with a rule, and a line in `RULES`. The rule's name is that of the cause: scripts
rely on it.
"""

from collections.abc import Callable

from collector.diagnosis.findings import Case, Finding, Life, Proof
from collector.diagnosis.rules.backlog import backlog
from collector.diagnosis.rules.consumer_down import consumer_down
from collector.diagnosis.rules.gave_up import gave_up
from collector.diagnosis.rules.handler_failed import handler_failed
from collector.diagnosis.rules.handler_silent import handler_silent
from collector.diagnosis.rules.not_acknowledged import not_acknowledged
from collector.diagnosis.rules.unknown import unknown

Rule = Callable[[Case, Life], Proof | None]

RULES: tuple[Rule, ...] = (
    gave_up,
    handler_failed,
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
