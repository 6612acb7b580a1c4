"""Steps that wait for a timer, a batch, a person or a night, and flows that are rare."""

from collections.abc import Sequence
from random import Random

from benchmarks.silence.claims import CLAIMS, Step, about, changed
from benchmarks.silence.faults import DOWN, SILENT, Fault, Weather
from benchmarks.silence.happening import World
from benchmarks.silence.playing import Timing
from benchmarks.silence.staging import LASTS, Run, Scene, Stage, finished, staged

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
_SURE = 600.0  # seconds: by then it is clear that a service is down that is silent for minutes anyway


def every_few_minutes(begin: float, ends: float) -> Timing:
    """Ticks for flows with minutes between them."""
    return Timing(ends=ends, coarse_until=begin, busy=9, part=1 / 3, longest=9)


def over_days(begin: float, ends: float) -> Timing:
    """Ticks for days in which nearly always nothing happens."""
    return Timing(ends=ends, coarse_until=begin, coarse=3, busy=12, part=1 / 4, longest=2 * _HOUR)


def _unhurried(begin: float, ends: float) -> Timing:
    """Ticks for minutes in which something always happens, and deadlines of many minutes."""
    return Timing(ends=ends, coarse_until=begin or ends - 60, coarse=5)


def _timed(rng: Random) -> Sequence[Step]:
    """With a timer of 90 s: either the event or its handling comes later."""
    ninety = about(90, 0.03)
    what = "after" if rng.random() < 0.5 else "wait"
    return changed(CLAIMS, "assessor", **{what: ninety})


def _by_people(rng: Random, _: float) -> float:
    return about(5)(rng, 0) if rng.random() < 0.5 else about(180, 0.2)(rng, 0)


_HUMAN = changed(CLAIMS, "assessor", after=_by_people)
_BATCH = changed(CLAIMS, "ledger", opens=lambda at: (at // 180 + 1) * 180)


def _next_night(at: float) -> float:
    """Two o'clock of the next night; a run begins at eight in the morning."""
    return ((at - 18 * _HOUR) // _DAY + 1) * _DAY + 18 * _HOUR


def _approved(rng: Random, at: float) -> float:
    """At ten o'clock of one of the next two mornings, within a few minutes."""
    morning = (at // _DAY + rng.choice([1, 1, 2])) * _DAY + 2 * _HOUR
    return morning - at + rng.uniform(0, 20)


_NIGHTLY = changed(CLAIMS, "ledger", opens=_next_night, wait=about(3))
_APPROVAL = changed(CLAIMS, "assessor", after=_approved)


def _waits(stage: Stage, steps: Sequence[Step], fault: Fault | None, rate: float, good: int) -> Run:
    def weather(begin: float) -> Weather:
        return Weather([Fault(fault.kind, fault.service, fault.causes, begin)] if fault else [])

    return staged(stage, weather, steps=steps, rate=rate, good=good, timing=_unhurried, lasts=120)


def _timer(stage: Stage, fault: Fault | None = None) -> Run:
    return _waits(stage, _timed(stage.rng), fault, stage.rng.uniform(1.5, 3), stage.some(150, 300))


def _human(stage: Stage, fault: Fault | None = None) -> Run:
    return _waits(stage, _HUMAN, fault, stage.rng.uniform(0.8, 1.5), stage.some(150, 300))


def _batch(stage: Stage, fault: Fault | None = None) -> Run:
    return _waits(stage, _BATCH, fault, stage.rng.uniform(0.3, 0.5), stage.some(200, 300))


def _daily(stage: Stage, steps: Sequence[Step], days: int, fault: Fault | None, bad_days: int) -> Run:
    """A burst of claims each day; *days* are good, and then comes the *fault*, if there is one."""
    rng = stage.rng
    weather = Weather([fault] if fault else [])
    world = World(rng, lambda _: steps, weather, keyed=rng.random() < 0.7)
    for day in range(days + bad_days):
        at = day * _DAY + rng.uniform(0.5, 1.5) * _HOUR
        for _ in range(max(stage.some(20, 30), 8)):
            at += rng.expovariate(2.0)
            world.file(at)
    return finished(rng, world, weather, days * _DAY, timing=over_days, lasts=2 * _HOUR)


def _nightly(stage: Stage) -> Run:
    return _daily(stage, _NIGHTLY, 5, None, 0)


def _nightly_dead(stage: Stage) -> Run:
    """The job of one night does not run, and the next night's takes only what is new."""
    fault = Fault("lost", "ledger", {"consumer_down": "", "unknown": ""}, 4 * _DAY, 5 * _DAY)
    return _daily(stage, _NIGHTLY, 4, fault, 2)


def _approval(stage: Stage) -> Run:
    return _daily(stage, _APPROVAL, 6, None, 0)


def _approval_silent(stage: Stage) -> Run:
    return _daily(stage, _APPROVAL, 5, Fault("silent", "assessor", SILENT, 5 * _DAY), 1)


def _rare(stage: Stage, fault: Fault | None) -> Run:
    """A flow every two minutes."""
    rng = stage.rng
    good, then = max(stage.some(50, 70), 28), max(stage.some(15, 25), 6)
    times = [2.0 + 120 * number + rng.uniform(0, 60) for number in range(good + then)]
    begin = times[good] - 1.0
    weather = Weather([Fault(fault.kind, fault.service, fault.causes, begin)] if fault else [])
    world = World(rng, lambda _: CLAIMS, weather, keyed=rng.random() < 0.7)
    for at in times:
        world.file(at)
    return finished(rng, world, weather, begin, timing=every_few_minutes, lasts=_SURE if fault else LASTS)


def _night_outage(stage: Stage) -> Run:
    """At night there is a flow a minute, and then something dies."""
    rng = stage.rng
    service = rng.choice(["documents", "coverage", "assessor", "ledger"])

    def weather(begin: float) -> Weather:
        return Weather([Fault("down", service, DOWN, begin + 10 * _MINUTE)])

    then = max(stage.some(20, 30), 15)
    return staged(stage, weather, then=then, then_rate=1 / 60, timing=every_few_minutes, lasts=_SURE)


SCENES = (
    Scene("timer", "a step behind a timer of 90 s", _timer, faulty=False),
    Scene("batch", "a batch every three minutes", _batch, faulty=False),
    Scene("human", "people, who need 5 s or 3 min", _human, faulty=False),
    Scene("nightly", "a nightly job, over five nights", _nightly, faulty=False),
    Scene("approval", "approvals after one or two days", _approval, faulty=False),
    Scene("rare", "a flow every two minutes", lambda stage: _rare(stage, None), faulty=False),
    Scene(
        "timer-dead",
        "the service with the timer dies",
        lambda stage: _timer(stage, Fault("down", "assessor", DOWN)),
        faulty=True,
    ),
    Scene(
        "timer-silent",
        "the timer does not go off",
        lambda stage: _timer(stage, Fault("silent", "assessor", SILENT)),
        faulty=True,
    ),
    Scene(
        "human-silent",
        "nobody does the human step any more",
        lambda stage: _human(stage, Fault("silent", "assessor", SILENT)),
        faulty=True,
    ),
    Scene(
        "batch-dead",
        "the batch dies",
        lambda stage: _batch(stage, Fault("down", "ledger", DOWN)),
        faulty=True,
    ),
    Scene("nightly-dead", "the nightly job leaves one night out", _nightly_dead, faulty=True),
    Scene("approval-silent", "nobody approves any more", _approval_silent, faulty=True),
    Scene(
        "rare-dead",
        "a service dies that has something to do every two minutes",
        lambda stage: _rare(stage, Fault("down", "assessor", DOWN)),
        faulty=True,
    ),
    Scene("night-outage", "a service dies at night, with a flow a minute", _night_outage, faulty=True),
)
