"""Spans that are lost, sampled, late, or sent while the collector is away."""

from collections.abc import Callable

from benchmarks.silence.claims import CHAIN
from benchmarks.silence.faults import ALWAYS, DOWN, Fault, Loss, Stop, Weather
from benchmarks.silence.staging import Run, Scene, Stage, staged

Building = Callable[[Stage], Run]


def _gap(service: str) -> Building:
    """Its spans are missing for a minute, while it works."""

    def build(stage: Stage) -> Run:
        rate = stage.rng.uniform(2, 4)
        return staged(
            stage,
            lambda begin: Weather(losses=[Loss(1.0, begin, begin + 60, service)]),
            then_rate=rate,
            then_for=90,
        )

    return build


def _sampled(service: str | None, dead: bool = False) -> Building:
    """Half of the spans of *service*, or of all traces, are never sent."""

    def build(stage: Stage) -> Run:
        by_trace = service is None or stage.rng.random() < 0.5
        died = stage.rng.choice(["assessor", "ledger"])

        def weather(begin: float) -> Weather:
            faults = [Fault("down", died, DOWN, begin)] if dead else []
            return Weather(faults, [Loss(0.5, 0.0, ALWAYS, service, by_trace)])

        return staged(stage, weather, good=2 * max(stage.some(120, 300), 60))

    return build


def _lossy(stage: Stage, *, middle: bool) -> Run:
    def weather(begin: float) -> Weather:
        return Weather(losses=[Loss(0.05, begin if middle else 0.0)])

    return staged(stage, weather, good=max(stage.some(300, 320), 150), then=stage.some(200, 300))


def _lossy_dead(stage: Stage) -> Run:
    service = stage.rng.choice(CHAIN)

    def weather(begin: float) -> Weather:
        return Weather([Fault("down", service, DOWN, begin)], [Loss(0.05)])

    return staged(stage, weather, good=max(stage.some(300, 320), 150))


def _stopped(seconds: float, dead: str = "") -> Building:
    """The collector stops for so long; a service dies *before*, *during* or *after*, if at all."""

    def build(stage: Stage) -> Run:
        rng = stage.rng
        service = rng.choice(CHAIN)
        then_rate = rng.uniform(0.8, 1.2) if seconds > 60 else rng.uniform(2, 4)
        begin_after = 12.0
        deaths = {"before": 2.0, "during": begin_after + seconds / 2, "after": begin_after + seconds + 10}

        def weather(begin: float) -> Weather:
            stop = Stop(begin + begin_after, begin + begin_after + seconds, rng.uniform(0.5, 4))
            faults = [Fault("down", service, DOWN, begin + deaths[dead])] if dead else []
            return Weather(faults, stops=[stop])

        lasts = 80.0 if seconds > 60 else 25.0  # late spans make the collector patient
        then_for = begin_after + seconds + (45 if seconds > 60 else 25)
        return staged(stage, weather, then_rate=then_rate, then_for=then_for, lasts=lasts)

    return build


def _replaying(stage: Stage) -> Run:
    """A service dies while the collector, which was restarted, still replays."""
    service = stage.rng.choice(CHAIN)

    def weather(begin: float) -> Weather:
        stop = Stop(begin, begin + 2, replays=12)
        return Weather([Fault("down", service, DOWN, begin + stage.rng.uniform(2, 8))], stops=[stop])

    return staged(stage, weather, then_rate=stage.rng.uniform(2, 4), then_for=20)


def _gap_then_outage(service: str) -> Building:
    """The telemetry of *service* is missing for 60 s while it works; then it stops."""

    def build(stage: Stage) -> Run:
        def weather(begin: float) -> Weather:
            outage = Fault("down", service, DOWN, begin + 60)
            return Weather([outage], [Loss(1.0, begin, begin + 60, service)])

        return staged(stage, weather, good=225, then_rate=stage.rng.uniform(1.5, 3), then_for=80)

    return build


def _unheard(stage: Stage) -> Run:
    """The exporter of the last service dies: whether the service works cannot be known."""
    causes = {"consumer_down": "telemetry is"}

    def weather(begin: float) -> Weather:
        return Weather([Fault("unheard", "letters", causes, begin)], [Loss(1.0, begin, ALWAYS, "letters")])

    return staged(stage, weather)


def _uninstrumented(stage: Stage) -> Run:
    """The assessor never sends a span, and passes no context on."""
    hidden = Fault("contextless", "assessor", {}, truthful=False)
    return staged(stage, lambda _: Weather([hidden], [Loss(1.0, service="assessor")]), keyed=True)


STOPS = (2, 10, 600)
SCENES = (
    Scene("gap-middle", "60 s without spans of the assessor", _gap("assessor"), faulty=False),
    Scene("gap-last", "60 s without spans of the last service", _gap("letters"), faulty=False),
    Scene("sampled", "half of all traces are sampled", _sampled(None), faulty=False, excuses=0),
    Scene(
        "sampled-middle",
        "half of the assessor's spans are sampled",
        _sampled("assessor"),
        faulty=False,
        excuses=0,
    ),
    Scene(
        "sampled-last",
        "half of the last service's spans are sampled",
        _sampled("letters"),
        faulty=False,
        excuses=0,
    ),
    Scene(
        "loss-start",
        "5 % of all spans are lost",
        lambda stage: _lossy(stage, middle=False),
        faulty=False,
        excuses=0,
    ),
    Scene(
        "loss-middle",
        "5 % of all spans are lost, after 300 good flows",
        lambda stage: _lossy(stage, middle=True),
        faulty=False,
        excuses=100,
    ),
    Scene("uninstrumented", "no span of the assessor, ever", _uninstrumented, faulty=False, excuses=0),
    *(Scene(f"stop-{s}", f"the collector stops for {s} s", _stopped(s), faulty=False) for s in STOPS),
    *(
        Scene(
            f"gap-outage-{name}",
            f"60 s without spans of {name}, then it dies",
            _gap_then_outage(name),
            faulty=True,
        )
        for name in ("documents", "assessor", "letters")
    ),
    Scene(
        "sampled-dead",
        "half of the assessor's spans, and a service dies",
        _sampled("assessor", True),
        faulty=True,
    ),
    Scene("loss-dead", "5 % of all spans are lost, and a service dies", _lossy_dead, faulty=True),
    *(
        Scene(
            f"stop-{s}-{when}",
            f"the collector stops for {s} s, a service dies {when} that",
            _stopped(s, when),
            faulty=True,
        )
        for s in STOPS
        for when in ("before", "during", "after")
    ),
    Scene("replay-outage", "a service dies while the collector replays", _replaying, faulty=True),
    Scene("unheard-last", "the exporter of the last service dies", _unheard, faulty=True),
)
