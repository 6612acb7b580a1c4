"""What do the services do with the claims of a run? Events in order of time, from the first publish on."""

import heapq
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from random import Random

from benchmarks.silence.claims import FIRST, GATEWAY, Choice, Step
from benchmarks.silence.faults import ALWAYS, Fault, Weather
from benchmarks.silence.planned import Claim, Planned, Wrong

Steps = Callable[[float], Sequence[Step]]  # the choreography at a time
Taken = tuple[str, str]  # a service and the event that it takes
Outside = tuple[str, str, float]  # a service, what it publishes, and how many seconds after the claim

_SLOW = 1.5  # seconds of work: three times that may pass the shortest deadline


class World:
    """Runs claims through the services; `claims` then know what happened to them."""

    def __init__(
        self, rng: Random, steps: Steps, weather: Weather, *, keyed: bool = True, announced: bool = False
    ) -> None:
        self.claims: list[Claim] = []
        self.paces: dict[Taken, list[tuple[float, float]]] = defaultdict(list)  # (when, seconds)
        self._rng, self._steps, self._weather = rng, steps, weather
        self._keyed, self._announced = keyed, announced  # flows have keys; handlings say that they begin
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._free: dict[str, float] = {}  # when a service that catches up takes the next message

    def file(self, at: float, *outside: Outside) -> Claim:
        """File a claim; *outside* are further events about it, from outside and in traces of their own."""
        number = len(self.claims)
        key = f"C-{number}-{self._rng.getrandbits(32):08x}" if self._keyed else None
        claim = Claim(number, key, self._rng.randbytes(16), at, Random(self._rng.getrandbits(64)))
        self.claims.append(claim)
        self._at(at, partial(self._publish, claim, GATEWAY, FIRST, at, None))
        for service, event, later in outside:
            if not self._uncalled(claim, service, event, at):
                trace = self._rng.randbytes(16)
                self._at(
                    at + later, partial(self._publish, claim, service, event, at + later, None, trace=trace)
                )
        return claim

    def run(self) -> None:
        """Let everything happen."""
        while self._due:
            _, _, happen = heapq.heappop(self._due)
            happen()

    def _at(self, when: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._due, (when, next(self._numbers), happen))

    def _publish(
        self,
        claim: Claim,
        service: str,
        event: str,
        at: float,
        by: Planned | None,
        *,
        trace: bytes | None = None,
    ) -> None:
        """*service* publishes *event*, in span *by*; all services that take it get it."""
        message = self._span(claim, service, "send", event, at, at + 0.001)
        message.cause = by
        if trace is not None:
            message.trace = trace
        elif by is not None:
            message.trace, message.parent = by.trace, by.id
        for step in self._steps(at):
            if step.event == event and _chosen(claim, step.takes):
                self._send(claim, step, message, at)

    def _send(self, claim: Claim, step: Step, message: Planned, at: float) -> None:
        rng = claim.rng
        unchosen = step.takes is not None and self._fault(claim, step, at, "unchosen")
        hit = unchosen or self._fault(claim, step, at, "lost")
        if hit:
            self._wrong(claim, hit, step, at, message)
            return
        start = step.opens(at) if step.opens else at
        start += step.wait(rng, start)
        while (down := self._down(step, start)) is not None:
            if down.end == ALWAYS or not self._weather.durable:
                self._wrong(claim, down, step, at, message)
                return
            start = max(down.end, self._free.get(step.service, 0.0)) + 0.001
            self._free[step.service] = start + 0.02
            claim.delayed = True
        slower = self._weather.slower.get(step.service)
        work = step.work(rng, start) * (slower(start) if slower else 1.0)
        claim.delayed |= work > _SLOW
        fails = self._fault(claim, step, start, "fails")
        if fails:
            self._fail(claim, step, message, fails, start, work)
        else:
            self._handle(claim, step, message, start, work)

    def _fail(
        self, claim: Claim, step: Step, message: Planned, fails: Fault, start: float, work: float
    ) -> None:
        for attempt, pause in enumerate((*fails.pauses, 0.0)):
            last = attempt == len(fails.pauses)
            if last and fails.recovers:
                self._handle(claim, step, message, start, work)
                return
            span = self._reaction(claim, step, message, start, start + work)
            span.error = "no connection to the register"
            span.settled = "term" if last and fails.terminates else "nak"
            if last:
                self._wrong(claim, fails, step, start + work, span)
            start += work + pause * claim.rng.uniform(0.9, 1.1)

    def _handle(self, claim: Claim, step: Step, message: Planned, start: float, work: float) -> None:
        end = start + work
        if hangs := self._fault(claim, step, start, "hangs"):
            self._announce(claim, step, message, start, self._rng.randbytes(8))
            self._wrong(claim, hangs, step, message.start, message)
            return
        if (killed := self._down(step, end)) is not None and killed.kind == "killed":
            self._wrong(claim, killed, step, message.start, message)
            return
        span = self._reaction(claim, step, message, start, end)
        published = end - 0.2 * work
        self._at(published, partial(self._decide, claim, step, span, published, message))

    def _decide(self, claim: Claim, step: Step, span: Planned, at: float, message: Planned) -> None:
        self.paces[step.service, step.event].append((message.start, span.end - message.start))
        taken = claim.taken.setdefault(step.service, set())
        taken.add(step.event)
        if unheard := self._fault(claim, step, at, "unheard"):
            self._wrong(claim, unheard, step, message.start, message)
        if not taken.issuperset(step.needs) or not step.then:
            lacking = set(step.needs) - taken
            for fault, event in claim.uncalled:
                if lacking == {event}:
                    self._wrong(claim, fault, step, span.end, span)
            return
        if silent := self._fault(claim, step, at, "silent"):
            self._wrong(claim, silent, step, span.end, span)
            return
        contextless = self._fault(claim, step, at, "contextless")
        if contextless:
            self._wrong(claim, contextless, step, span.end, span)
        at += step.after(claim.rng, at) if step.after else 0.0
        if step.after:
            self.paces[step.service, f"{step.event} to publish"].append((span.end, at - span.end))
        for event, choice in step.then:
            if not _chosen(claim, choice):
                continue
            unchosen = self._fault(claim, step, span.start, "unchosen")
            if unchosen and unchosen.missing == event:
                self._wrong(claim, unchosen, step, span.end, span)
                continue
            trace = self._rng.randbytes(16) if contextless else None
            self._at(at, partial(self._publish, claim, step.service, event, at, span, trace=trace))

    def _reaction(self, claim: Claim, step: Step, message: Planned, start: float, end: float) -> Planned:
        span = self._span(claim, step.service, "process", step.event, start, end)
        span.trace, span.parent, span.cause = message.trace, message.id, message
        span.link = message.trace, message.id
        if self._announced:
            self._announce(claim, step, message, start, span.id)
        return span

    def _announce(self, claim: Claim, step: Step, message: Planned, start: float, handling: bytes) -> None:
        span = self._span(claim, step.service, "started", step.event, start, start)
        span.trace, span.parent, span.cause = message.trace, message.id, message
        span.link = message.trace, handling

    def _span(
        self, claim: Claim, service: str, operation: str, event: str, start: float, end: float
    ) -> Planned:
        name = self._rng.randbytes(8)
        span = Planned(service, operation, event, claim.trace, name, bytes(8), None, start, end, claim.key)
        span.kept = self._weather.durable
        claim.spans.append(span)
        return span

    def _down(self, step: Step, at: float) -> Fault | None:
        return next(
            (
                fault
                for fault in self._weather.faults
                if fault.kind in {"down", "killed"} and fault.service == step.service and fault.at(at)
            ),
            None,
        )

    def _uncalled(self, claim: Claim, service: str, event: str, at: float) -> bool:
        """Whether an event from outside stays away; then the last event that is here waits for it."""
        for fault in self._weather.faults:
            if fault.kind == "uncalled" and fault.service == service and fault.at(at):
                claim.uncalled.append((fault, event))
                return True
        return False

    def _fault(self, claim: Claim, step: Step, at: float, kind: str) -> Fault | None:
        for fault in self._weather.faults:
            if (
                fault.kind == kind
                and fault.service == step.service
                and fault.event in {None, step.event}
                and fault.at(at)
                and (fault.share >= 1.0 or claim.rng.random() < fault.share)
            ):
                return fault
        return None

    def _wrong(self, claim: Claim, fault: Fault, step: Step, at: float, on: Planned) -> None:
        if fault.truthful:
            claim.wrong.append(
                Wrong(at, step.service, step.event, on, fault.causes, fault.also, fault.missing, fault.within)
            )


def _chosen(claim: Claim, choice: Choice | None) -> bool:
    return choice is None or choice.low <= claim.draw(choice.what) < choice.high
