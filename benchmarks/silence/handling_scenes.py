"""Services that live, and do not do what they did: silent, failing, starved, or without what they chose."""

from collections.abc import Callable, Mapping

from benchmarks.silence.claims import CHAIN
from benchmarks.silence.faults import DOWN, FAILED, NOT_TAKEN, SILENT, Fault, FaultKind, Weather
from benchmarks.silence.healthy_scenes import OUTSIDE, police
from benchmarks.silence.staging import Run, Scene, Stage, staged

_WITHIN = 60  # messages: a share that collapses is found within so many

Building = Callable[[Stage], Run]


def _partly(kind: FaultKind, causes: Mapping[str, str], percent: int) -> Building:
    """So many percent of what a service takes."""

    def build(stage: Stage) -> Run:
        service = stage.rng.choice(CHAIN[:-1] if kind == "silent" else CHAIN)
        then = {100: stage.some(30, 80), 5: max(stage.some(150, 250), 80), 1: max(stage.some(250, 350), 200)}[
            percent
        ]

        def weather(begin: float) -> Weather:
            return Weather([Fault(kind, service, causes, begin, share=percent / 100)])

        # A single message means something once 200 were taken.
        good = None if percent == 100 else max(stage.some(270, 400), 270)
        return staged(stage, weather, good=good, then=then)

    return build


def _fails(*, terminates: bool) -> Building:
    def build(stage: Stage) -> Run:
        service = stage.rng.choice(
            CHAIN[:-1]
        )  # nothing waits for the last: its failures are errors, no silence
        causes = {"gave_up": ""} if terminates else FAILED
        pauses = stage.rng.choice([(), (0.5, 1.0), (0.5, 1.0, 2.0, 4.0)])

        def weather(begin: float) -> Weather:
            return Weather([Fault("fails", service, causes, begin, pauses=pauses, terminates=terminates)])

        return staged(stage, weather)

    return build


def _starved(kind: FaultKind, service: str, event: str | None, causes: Mapping[str, str]) -> Building:
    """The settlement gets one of the two events that it needs."""

    def build(stage: Stage) -> Run:
        return staged(
            stage,
            lambda begin: Weather(
                [Fault(kind, service, causes, begin, event=event, also=frozenset({"settlement"}))]
            ),
        )

    return build


def _starved_outside(stage: Stage) -> Run:
    """The event that comes from outside comes no more."""
    causes = {"waiting_for_other": ""}

    def weather(begin: float) -> Weather:
        return Weather([Fault("uncalled", "police", causes, begin, also=frozenset({"police"}))])

    return staged(stage, weather, steps=OUTSIDE, outside=lambda: police(stage), keyed=True)


def _unchosen(service: str, event: str, missing: str | None = None) -> Building:
    """What the content decides is left out."""

    def build(stage: Stage) -> Run:
        def weather(begin: float) -> Weather:
            fault = Fault("unchosen", service, {}, begin, event=event, missing=missing, within=_WITHIN)
            return Weather([fault])

        good = max(stage.some(200, 300), 150)
        return staged(stage, weather, good=good, then=max(stage.some(100, 150), 90), lasts=30)

    return build


def _contextless(stage: Stage) -> Run:
    """The ledger publishes without context, so that what follows is another flow."""

    def weather(begin: float) -> Weather:
        return Weather([Fault("contextless", "ledger", {"context_lost": ""}, begin)])

    return staged(stage, weather, keyed=False)


def _hangs(stage: Stage) -> Run:
    """Handlings begin, as they announce, and do not end."""
    service = stage.rng.choice(CHAIN[:-1])

    def weather(begin: float) -> Weather:
        return Weather([Fault("hangs", service, {"not_acknowledged": ""}, begin)])

    return staged(stage, weather, announced=True)


SCENES = (
    *(
        Scene(f"silent-{p}", f"{p} % publish nothing", _partly("silent", SILENT, p), faulty=True)
        for p in (100, 5, 1)
    ),
    Scene(
        "not-taken-100",
        "no message gets to a service",
        _partly("lost", {**DOWN, **NOT_TAKEN}, 100),
        faulty=True,
    ),
    *(
        Scene(
            f"not-taken-{p}",
            f"{p} % of the messages do not get there",
            _partly("lost", NOT_TAKEN, p),
            faulty=True,
        )
        for p in (5, 1)
    ),
    Scene("fails", "every attempt fails, and there are no more", _fails(terminates=False), faulty=True),
    Scene("gave-up", "the message is terminated", _fails(terminates=True), faulty=True),
    Scene("hangs", "handlings begin and do not end", _hangs, faulty=True),
    Scene(
        "starved-lost",
        "a join does not get an event that was published",
        _starved("lost", "settlement", "ScreeningPassed", {**DOWN, **NOT_TAKEN, "waiting_for_other": ""}),
        faulty=True,
    ),
    Scene(
        "starved-silent",
        "the other event of a join is not published",
        _starved("silent", "screening", None, {**SILENT, "waiting_for_other": ""}),
        faulty=True,
    ),
    Scene(
        "starved-outside",
        "the other event of a join does not come from outside",
        _starved_outside,
        faulty=True,
    ),
    Scene(
        "variant",
        "large claims do not get their extra event",
        _unchosen("assessor", "CoverageConfirmed", "ReinsuranceNeeded"),
        faulty=True,
    ),
    Scene(
        "collapse-30",
        "the audit of 30 % takes nothing more",
        _unchosen("audit", "DamageAssessed"),
        faulty=True,
    ),
    Scene(
        "collapse-97",
        "a branch of 97 % takes nothing more",
        _unchosen("notices", "CoverageConfirmed"),
        faulty=True,
    ),
    Scene("context-lost", "an event is published without context", _contextless, faulty=True),
)
