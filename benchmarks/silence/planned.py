"""What happens in a run: claims, their spans, and what is wrong with them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from benchmarks.silence.faults import Fault

FLOOR, FACTOR = 5.0, 3.0  # of deadlines


@dataclass(slots=True)
class Planned:
    """One span. Times are seconds since the run began, by a perfect clock."""

    service: str
    operation: str  # send, process or started
    event: str
    trace: bytes
    id: bytes
    parent: bytes
    link: tuple[bytes, bytes] | None
    start: float
    end: float
    key: str | None
    error: str | None = None
    settled: str | None = None
    kept: bool = True  # its broker redelivers
    lost: bool = False
    missed: bool = False  # lost because the collector was away, which it knows
    arrives: float = -1.0
    cause: "Planned | None" = None  # the span that led to it


@dataclass(frozen=True)
class Wrong:
    """Something went wrong with a claim."""

    at: float  # since when the next thing is owed
    service: str  # that owes it
    event: str  # that it should have taken, or took
    on: Planned  # the span that shows that it is owed
    causes: Mapping[str, str]  # acceptable causes, and what their sentence has to contain
    also: frozenset[str] = frozenset()  # services that the finding may name as well
    missing: str | None = None  # what was not published
    within: int = 0  # a share that fell is to be noticed within so many messages; 0: each is stuck by itself

    def deadline(self, paces: Mapping[tuple[str, str], float]) -> float:
        """When it should be found: after thrice the 99th percentile of what is good, as is documented."""
        silent = self.on.operation == "process" and not self.on.error
        what = f"{self.event} to publish" if silent else self.event
        return self.at + max(FLOOR, FACTOR * paces.get((self.service, what), 0.0))


@dataclass(eq=False)
class Claim:
    """One flow."""

    number: int
    key: str | None
    trace: bytes
    filed: float
    rng: Random
    spans: list[Planned] = field(default_factory=list)
    wrong: list[Wrong] = field(default_factory=list)
    taken: dict[str, set[str]] = field(default_factory=dict)  # by service, for joins
    uncalled: list[tuple[Fault, str]] = field(default_factory=list)  # events from outside that stay away
    draws: dict[str, float] = field(default_factory=dict)
    delayed: bool = False  # it waited for a service that was down: it may be stuck for a while

    @property
    def id(self) -> str:
        """What the collector calls it."""
        return self.key or self.trace.hex()

    def draw(self, what: str) -> float:
        """The number that its content gives it for *what*."""
        if what not in self.draws:
            self.draws[what] = self.rng.random()
        return self.draws[what]

    @property
    def seen(self) -> bool:
        """Whether any span of it arrives."""
        return any(not span.lost for span in self.spans)

    def unseen(self) -> frozenset[str]:
        """The services of which a span was lost that nothing later in the flow shows to have happened."""
        shown: set[int] = set()
        for span in self.spans:
            if not span.lost:
                before = span.cause
                while before is not None and id(before) not in shown:
                    shown.add(id(before))
                    before = before.cause
        return frozenset(
            span.service for span in self.spans if span.lost and not span.missed and id(span) not in shown
        )
