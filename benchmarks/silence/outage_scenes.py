"""Services that die, at once or slowly."""

from collections.abc import Callable

from benchmarks.silence.claims import CHAIN
from benchmarks.silence.faults import DOWN, Fault, Weather
from benchmarks.silence.playing import Timing
from benchmarks.silence.staging import Run, Scene, Stage, staged

SERVICES = (*CHAIN, "screening")


def _dead(service: str) -> Callable[[Stage], Run]:
    return lambda stage: staged(stage, lambda begin: Weather([Fault("down", service, DOWN, begin)]))


def _killed(service: str) -> Callable[[Stage], Run]:
    """With `kill -9`: what it had not sent yet is lost with it."""
    return lambda stage: staged(stage, lambda begin: Weather([Fault("killed", service, DOWN, begin)]))


def _recovered(stage: Stage) -> Run:
    """On core NATS, which keeps nothing: the service is back after 30 s, these messages are not."""
    service = stage.rng.choice(CHAIN[:-1])
    causes = {"consumer_down": "", "unknown": ""}

    def weather(begin: float) -> Weather:
        return Weather([Fault("down", service, causes, begin, begin + 30)], durable=False)

    rate = stage.rng.uniform(2, 4)
    return staged(stage, weather, good=stage.some(150, 250), then_rate=rate, then_for=60)


def _slower(stage: Stage) -> Run:
    """A service takes twice as long every ten minutes, and dies in the end."""
    service = stage.rng.choice(["coverage", "ledger"])
    doubled = 600 * stage.scale
    dies = 6 * doubled

    def weather(_: float) -> Weather:
        factor = {service: lambda at: 2 ** (at / doubled)}
        return Weather([Fault("down", service, DOWN, dies)], slower=factor)

    def timing(_: float, ends: float) -> Timing:
        return Timing(ends=ends, coarse_until=dies - 10, coarse=9)

    rate = 240 / dies
    return staged(stage, weather, good=240, rate=rate, then=stage.some(40, 60), then_rate=2, timing=timing)


SCENES = (
    *(Scene(f"dead-{name}", f"{name} dies", _dead(name), faulty=True) for name in SERVICES),
    *(
        Scene(f"killed-{name}", f"{name} is killed, and its last spans with it", _killed(name), faulty=True)
        for name in ("coverage", "assessor", "ledger", "letters")
    ),
    Scene("recovered", "a service is back, but what it missed is lost", _recovered, faulty=True),
    Scene("slower", "a service takes longer and longer, and then dies", _slower, faulty=True),
)
