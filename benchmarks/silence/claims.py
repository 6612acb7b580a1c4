"""The choreography of the simulator: insurance claims, and how scenes change it.

ClaimFiled (by the gateway, from outside)
    -> documents: DocumentsChecked -> coverage: CoverageConfirmed, or CoverageDenied (6 %) -> refusals
        -> assessor: DamageAssessed, and ReinsuranceNeeded for large claims (30 %) -> reinsurance
            -> audit, which takes 30 % and publishes nothing
        -> notices, which takes 97 %: CustomerNotified
    -> screening: ScreeningPassed
DamageAssessed and ScreeningPassed -> settlement (needs both): ClaimSettled
    -> ledger: PaymentOrdered -> letters, which publishes nothing
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

Lasting = Callable[[Random, float], float]  # seconds, for something that begins at that time of the run

FIRST, GATEWAY = "ClaimFiled", "gateway"
CHAIN = ("documents", "coverage", "assessor", "settlement", "ledger", "letters")


def about(seconds: float, spread: float = 0.5) -> Lasting:
    """Around *seconds*, log-normal, as waits and work are."""
    return lambda rng, _: seconds * rng.lognormvariate(0.0, spread)


@dataclass(frozen=True)
class Choice:
    """What the content of a claim decides: claims that draw a number in [low, high) for *what*."""

    what: str
    low: float = 0.0
    high: float = 1.0


_SOON, _BRIEF = about(0.01), about(0.05)


@dataclass(frozen=True)
class Step:
    """*service* takes *event* and publishes *then*; with *needs*, once it has taken all of these."""

    service: str
    event: str
    then: Sequence[tuple[str, Choice | None]] = ()
    takes: Choice | None = None
    needs: Sequence[str] = ()
    wait: Lasting = _SOON  # in the queue
    work: Lasting = _BRIEF
    after: Lasting | None = None  # how long after its work it publishes: a timer, or a person
    opens: Callable[[float], float] | None = None  # when it next takes something: a batch


BOTH = ("DamageAssessed", "ScreeningPassed")
CLAIMS = (
    Step("documents", FIRST, [("DocumentsChecked", None)]),
    Step(
        "coverage",
        "DocumentsChecked",
        [("CoverageDenied", Choice("denied", 0.0, 0.06)), ("CoverageConfirmed", Choice("denied", 0.06))],
    ),
    Step("refusals", "CoverageDenied"),
    Step(
        "assessor",
        "CoverageConfirmed",
        [("DamageAssessed", None), ("ReinsuranceNeeded", Choice("large", 0.0, 0.3))],
        work=about(0.12),
    ),
    Step("notices", "CoverageConfirmed", [("CustomerNotified", None)], Choice("unreachable", 0.03)),
    Step("audit", "DamageAssessed", takes=Choice("audited", 0.0, 0.3)),
    Step("reinsurance", "ReinsuranceNeeded", [("ReinsuranceBooked", None)]),
    Step("screening", FIRST, [("ScreeningPassed", None)], work=about(0.08)),
    Step("settlement", "DamageAssessed", [("ClaimSettled", None)], needs=BOTH),
    Step("settlement", "ScreeningPassed", [("ClaimSettled", None)], needs=BOTH),
    Step("ledger", "ClaimSettled", [("PaymentOrdered", None)]),
    Step("letters", "PaymentOrdered"),
)


def changed(steps: Sequence[Step], who: str, /, **what: Any) -> tuple[Step, ...]:
    """*steps*, with *what* is different about those of the service *who*."""
    return tuple(replace(step, **what) if step.service == who else step for step in steps)


def without(steps: Sequence[Step], service: str) -> tuple[Step, ...]:
    """*steps* without those of *service*."""
    return tuple(step for step in steps if step.service != service)
