"""How right were the verdicts of a run?"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.silence.claims import CHAIN
from benchmarks.silence.faults import Stop, Weather
from benchmarks.silence.planned import Claim, Wrong
from benchmarks.silence.playing import Seen
from collector.model.answers import Finding
from collector.model.flows import State

_NOTICED = 25.0  # seconds until a message counts: its telemetry arrives, and its flow comes to rest


@dataclass
class Score:
    """Of one run, or of several added up."""

    runs: int = 0
    healthy: int = 0
    false: int = 0  # healthy flows that were ever stuck
    excused: int = 0  # of which telemetry was lost that nothing later could replace
    late: int = 0
    false_drops: int = 0
    faults: int = 0
    found: int = 0  # at the end
    ever: int = 0
    right: int = 0  # of those found at the end
    done: int = 0  # faulty and called done
    flips: int = 0
    waits: list[float] = field(default_factory=list)  # seconds from the deadline to the verdict
    wrong: list[str] = field(default_factory=list)  # one line for each wrong verdict
    unable: str = ""

    def add(self, other: "Score") -> None:
        """Add up."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value if name != "unable" else self.unable or value)

    @property
    def slow(self) -> float:
        """The 95th percentile of the seconds from the deadline to the verdict."""
        return sorted(self.waits)[math.ceil(0.95 * len(self.waits)) - 1] if self.waits else math.nan


@dataclass(frozen=True)
class _Truth:
    """All that happened in a run."""

    claims: Sequence[Claim]
    paces: Mapping[tuple[str, str], float]
    stops: Sequence[Stop]
    excused: float  # until then

    def deadline(self, wrong: Wrong) -> float:
        """When *wrong* should be found: not before it can be known, and not while the collector is away."""
        at = max(wrong.deadline(self.paces), wrong.on.arrives)
        away = (stop.end + stop.replays for stop in self.stops if stop.begin <= at < stop.end + stop.replays)
        return next(away, at)


def score(
    every: Sequence[Claim],
    seen: Seen,
    paces: Mapping[tuple[str, str], float],
    weather: Weather,
    excuses: float = math.inf,
) -> Score:
    """Compare what was *seen* with what happened to all claims; *paces* are the 99th percentiles of steps.

    For so many claims after spans begin to get lost, it *excuses* verdicts that only these could prevent.
    """
    total = Score(runs=1, flips=seen.flips)
    claims = [c for c in every if c.seen and all(_knowable(one) for one in c.wrong)]
    # A refused claim that also lacks its event from outside may be called stuck or not.
    claims = [c for c in claims if c.wrong or not c.uncalled]
    lossy = [c.filed for c in every if c.filed >= min((loss.begin for loss in weather.losses), default=0.0)]
    excused = lossy[int(excuses)] + _NOTICED if excuses < len(lossy) else math.inf
    truth = _Truth(claims, paces, weather.stops, excused if excuses else 0.0)
    for claim in claims:
        if claim.wrong:
            _score_fault(total, claim, seen, truth)
        else:
            _score_healthy(total, claim, seen, truth)
    _score_others(total, {claim.id for claim in every}, seen, truth)
    return total


def _knowable(wrong: Wrong) -> bool:
    """Whether enough of its spans came to see that something is missing."""
    before = wrong.on.cause
    return not wrong.on.missed and (not wrong.on.lost or (before is not None and not before.lost))


def _score_others(total: Score, known: set[str], seen: Seen, truth: _Truth) -> None:
    """Flows that are none, and shares that did not fall."""
    for flow in seen.stuck.keys() - known:
        total.false += 1
        total.wrong.append(f"no flow: {flow} at {seen.stuck[flow]:.0f} s: {_told(seen.found.get(flow, []))}")
    wrong = {(one.service, one.event) for claim in truth.claims for one in claim.wrong}
    # Of a service whose spans are missing nobody can know that it works, unless something follows.
    lost = (span for claim in truth.claims for span in claim.spans if span.lost)
    wrong |= {(span.service, span.event) for span in lost if span.operation == "process"}
    for (kind, event, service, missing), told in seen.drops.items():
        if (service, event) not in wrong and (service or event not in {other for _, other in wrong}):
            total.false_drops += 1
            drop = told.newest
            line = (
                f"drop at {told.at:.0f} s: {kind} {event} {service} {missing}: {drop.hits} of {drop.window}"
            )
            total.wrong.append(f"{line}, normally {drop.share:.0%} of {drop.n}")


def _score_healthy(total: Score, claim: Claim, seen: Seen, truth: _Truth) -> None:
    total.healthy += 1
    total.late += claim.id in seen.late and not claim.delayed
    if claim.id not in seen.stuck:
        return
    if claim.delayed and seen.final.get(claim.id) == State.DONE:
        return  # it was stuck, and then it was done
    found = seen.found.get(claim.id, [])
    unseen = claim.unseen() if claim.filed <= truth.excused else frozenset()
    excused = bool(unseen) and all(finding.missing.service in unseen for finding in found)
    total.excused += excused
    total.false += not excused
    word = "excused" if excused else "false"
    when = f"of {claim.filed:.0f} s at {seen.stuck[claim.id]:.0f} s"
    total.wrong.append(f"{word}: {claim.id} {when}: {_told(found)}")


def _score_fault(total: Score, claim: Claim, seen: Seen, truth: _Truth) -> None:
    total.faults += 1
    first = min(claim.wrong, key=lambda one: one.at)
    by_share = [_dropped(one, claim, seen, truth.claims) for one in claim.wrong]
    noticed = min((at for at in by_share if at is not None), default=None)
    ever = claim.id in seen.stuck or noticed is not None
    state = seen.final.get(claim.id, State.DONE)
    found = state >= State.STUCK or noticed is not None
    total.ever += ever
    total.found += found
    said = f"{claim.id} of {claim.filed:.0f} s, {first.service} after {first.event} from {first.at:.0f} s"
    if not found:
        total.done += state == State.DONE
        total.wrong.append(f"not found: {said}: {State(state).word}")
        return
    if noticed is None and claim.id in seen.stuck:  # else it was evicted before its deadline
        total.waits.append(seen.stuck[claim.id] - truth.deadline(first))
    findings = seen.found.get(claim.id, [])
    if noticed is not None or _right(claim, findings):
        total.right += 1
    else:
        total.wrong.append(f"wrong cause: {said}: {_told(findings)}")


def _right(claim: Claim, findings: Sequence[Finding]) -> bool:
    """Whether every finding of a flow is right."""
    unseen = claim.unseen()
    return bool(findings) and all(
        finding.missing.service in unseen or any(_fits(one, finding) for one in claim.wrong)
        for finding in findings
    )


def _fits(wrong: Wrong, finding: Finding) -> bool:
    says = wrong.causes.get(finding.cause)
    named = finding.missing.service in {wrong.service, *wrong.also}
    return named and says is not None and says in finding.sentence


def _dropped(wrong: Wrong, claim: Claim, seen: Seen, claims: Sequence[Claim]) -> float | None:
    """When a drop that is about *wrong* was noticed; None if it was not, or too late."""
    told = [
        one
        for (_, event, service, _), one in seen.drops.items()
        if event == wrong.event and service in {wrong.service, None}
    ]
    if not wrong.within:
        # A drop names some of its flows; of a step that publishes nothing, it is all that is told.
        last = wrong.service == CHAIN[-1]
        return min((one.at for one in told if last or claim.id in one.flows), default=None)
    first = min(one.at for other in claims for one in other.wrong if one.service == wrong.service)
    times = sorted(
        span.end
        for other in claims
        for span in other.spans
        if span.operation == "send" and span.event == wrong.event and span.end >= first - 1
    )
    limit = times[min(wrong.within, len(times)) - 1] + _NOTICED
    return min((one.at for one in told if first <= one.at <= limit), default=None)


def _told(findings: Sequence[Finding]) -> str:
    return " | ".join(f"{one.cause}: {one.sentence}" for one in findings) or "no finding"
