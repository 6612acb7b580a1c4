"""Services that change, choose and catch up. Nothing is wrong with any of these flows."""

from benchmarks.silence.claims import BOTH, CLAIMS, Choice, Step, changed, without
from benchmarks.silence.faults import Fault, Weather
from benchmarks.silence.happening import Outside
from benchmarks.silence.staging import Run, Scene, Stage, staged
from benchmarks.silence.tabled import nanoseconds
from collector.model.decisions import Decision

OUTSIDE = (
    *changed(CLAIMS, "settlement", needs=(*BOTH, "PoliceReport")),
    Step("settlement", "PoliceReport", [("ClaimSettled", None)], needs=(*BOTH, "PoliceReport")),
)


def police(stage: Stage) -> list[Outside]:
    """The police report, which comes from outside in a trace of its own."""
    return [("police", "PoliceReport", stage.rng.uniform(0.2, 2.0))]


def _plain(stage: Stage) -> Run:
    return staged(stage)


def _choice_30(stage: Stage) -> Run:
    steps = changed(CLAIMS, "notices", takes=Choice("unreachable", 0.7))
    return staged(stage, steps=steps, good=stage.some(300, 600))


def _choice_97(stage: Stage) -> Run:
    steps = changed(CLAIMS, "audit", takes=Choice("audited", 0.03))
    return staged(stage, steps=steps, good=stage.some(400, 630))


def _joined_outside(stage: Stage) -> Run:
    return staged(stage, steps=OUTSIDE, outside=lambda: police(stage), keyed=True)


def _added(stage: Stage) -> Run:
    more = (*CLAIMS, Step("survey", "ClaimSettled", [("CustomerAsked", None)]))
    return staged(
        stage, later=lambda begin: lambda at: CLAIMS if at < begin else more, then=stage.some(60, 150)
    )


def _renamed(stage: Stage, service: str) -> Run:
    renamed = changed(CLAIMS, service, service=f"{service}-v2")
    then = stage.some(60, 150)
    return staged(stage, later=lambda begin: lambda at: CLAIMS if at < begin else renamed, then=then)


def _replaced(stage: Stage) -> Run:
    """Claim by claim at first, as a rolling update does it."""
    replaced = changed(CLAIMS, "ledger", service="accounts")

    def later(begin: float) -> object:
        return lambda at: replaced if at >= begin and stage.rng.random() < (at - begin) / 10 else CLAIMS

    return staged(stage, later=later, then=stage.some(100, 200))  # type: ignore[arg-type]


def _removed(stage: Stage) -> Run:
    always = changed(CLAIMS, "notices", takes=None)
    gone = without(CLAIMS, "notices")

    def decisions(begin: float) -> list[tuple[float, Decision]]:
        at = begin + stage.rng.uniform(-2.0, 2.0)
        said = Decision(
            nanoseconds(at), "forget", "CoverageConfirmed", "notices", "Ada", "notices are sent by hand now"
        )
        return [(at, said)]

    return staged(stage, later=lambda begin: lambda at: always if at < begin else gone, decisions=decisions)


def _backoff(stage: Stage) -> Run:
    """Every twelfth or so is tried again after pauses that double, and goes well after a minute."""
    again = Fault(
        "fails", stage.rng.choice(["coverage", "ledger", "letters"]), {}, share=0.08,
        pauses=(1, 2, 4, 8, 16, 32), recovers=True, truthful=False,
    )  # fmt: skip
    return staged(stage, lambda _: Weather([again]), rate=3.0)


def _retried(stage: Stage) -> Run:
    again = Fault("fails", "coverage", {}, share=0.05, pauses=(0.5,), recovers=True, truthful=False)
    return staged(stage, lambda _: Weather([again]))


def _bulk(stage: Stage) -> Run:
    rate = stage.rng.uniform(1, 2)
    return staged(stage, rate=rate, good=stage.some(100, 150), then=stage.some(600, 900), then_rate=10 * rate)


def _caught_up(stage: Stage) -> Run:
    """A service is away for half a minute, and then takes everything that waits."""

    def weather(begin: float) -> Weather:
        return Weather([Fault("down", "assessor", {}, begin + 2, begin + 32, truthful=False)])

    return staged(stage, weather, rate=2.0, good=stage.some(120, 160), then=100)


def _kept_by_key(stage: Stage) -> Run:
    """The ledger publishes without context, and the key keeps the flow together."""

    def weather(begin: float) -> Weather:
        return Weather([Fault("contextless", "ledger", {}, begin, truthful=False)])

    return staged(stage, weather, keyed=True)


SCENES = (
    Scene("plain", "nothing special", _plain, faulty=False),
    Scene(
        "announced",
        "handlings say that they begin",
        lambda stage: staged(stage, announced=True),
        faulty=False,
    ),
    Scene("choice-30", "branches that 30 % take, by content", _choice_30, faulty=False),
    Scene("choice-97", "branches that 97 % take, by content", _choice_97, faulty=False),
    Scene("outside", "a join that needs an event from outside", _joined_outside, faulty=False),
    Scene("added", "a consumer is added", _added, faulty=False),
    Scene("renamed", "a service is renamed", lambda stage: _renamed(stage, "ledger"), faulty=False),
    Scene(
        "renamed-last", "the last service is renamed", lambda stage: _renamed(stage, "letters"), faulty=False
    ),
    Scene("replaced", "another service takes over, gradually", _replaced, faulty=False),
    Scene("removed", "a service is removed, and a person says so", _removed, faulty=False),
    Scene("backoff", "retries after 1, 2, 4 ... 32 s that succeed", _backoff, faulty=False),
    Scene("retried", "5 % are tried twice", _retried, faulty=False),
    Scene("bulk", "ten times the traffic", _bulk, faulty=False),
    Scene("caught-up", "a service catches up after 30 s", _caught_up, faulty=False),
    Scene("context-keyed", "events without context, with a flow key", _kept_by_key, faulty=False),
)
