"""What is a finding, and what may a rule use to make one?"""

from collections.abc import Sequence
from dataclasses import dataclass

from collector.diagnosis.debts import Debt
from collector.diagnosis.expected import Expectation
from collector.diagnosis.paces import Pace
from collector.model.answers import EvidenceKind


@dataclass(frozen=True)
class Place:
    """The span at which a flow stopped."""

    ref: str  # <trace id>:<span id>
    event_type: str
    service: str
    destination: str | None
    error: str | None = None  # what the span's status says
    instance: str | None = None  # which process of the service; only on the announcement of a handling


@dataclass(frozen=True)
class Silence:
    """A time in which a reactor took no message of a type, between two that it took; by their times."""

    begin: int
    end: int


@dataclass(frozen=True)
class Orphans:
    """What a service did without a context that says why: from when on, and how often."""

    what: str  # the event type that it published, or handled
    since: int
    times: int
    published: bool  # otherwise it handled


@dataclass(frozen=True)
class Case:
    """One thing that a flow owes and that is overdue. Times are nanoseconds since the epoch."""

    debt: Debt
    stopped_at: Place
    service: str  # the service that owes it
    group: str
    since: int
    now: int
    due_ms: float
    deadline_ms: float
    expectation: Expectation | None  # None: a handling failed before anything was learned
    attempts: int = 1
    tried: int = 0  # when its last attempt ended; 0 if there was none
    pause_ms: float = 0.0  # between its last two attempts; 0 if there was one
    published: int = 0  # when the message was published that it is about
    alike: int = 1  # in how many flows the same is overdue
    pace: Pace | None = None  # of the event that a join waits for
    awaited: str | None = None  # the event that a join waits for
    publisher: str | None = None  # who normally publishes the event that a join waits for
    final: bool = False
    terminated: bool = False  # its consumer told the broker not to deliver it again
    # If a reaction is owed, the announcement that it began; otherwise, an unanswered request of the handling.
    witness: Place | None = None

    @property
    def overdue_s(self) -> float:
        """Seconds since it was due."""
        return max((self.now - self.since) / 1e9 - self.due_ms / 1e3, 0.0)

    @property
    def next_event_type(self) -> str | None:
        """What normally comes next."""
        if self.debt is Debt.OTHER:
            return self.awaited
        return self.expectation.next_event_type if self.expectation else None


@dataclass(frozen=True)
class Life:
    """What was last seen of a reactor for one event type. Times are nanoseconds since the epoch."""

    last: int | None  # when it last began to handle one; None if never
    served: int | None  # when the newest message that it handled was published; None if unknown
    waiting: int  # overdue flows whose message it has not handled
    unfinished: int = 0  # how many of these messages it has begun to handle
    usual: int = 0  # how long it may take nothing without that being unusual, nanoseconds
    silences: tuple[Silence, ...] = ()
    orphans: Orphans | None = None

    def silence(self, published: int) -> Silence | None:
        """The silence in which a message of this time was published; None if there is none."""
        return next((one for one in self.silences if one.begin < published < one.end), None)

    def idle(self, silence: Silence) -> bool:
        """Whether it took nothing then because it had ended before."""
        return self.served is None or self.served <= silence.begin


def together(lives: Sequence[Life]) -> Life:
    """What is known of several services of one group: it took what any of them did."""
    if len(lives) == 1:
        return lives[0]
    silences = [one for life in lives for one in life.silences]
    common = [s for s in silences if all(one.silence((s.begin + s.end) // 2) or one.idle(s) for one in lives)]
    return Life(
        last=max((life.last for life in lives if life.last), default=None),
        served=max((life.served for life in lives if life.served), default=None),
        waiting=0,
        usual=min((life.usual for life in lives), default=0),
        silences=tuple(common),
        orphans=next((life.orphans for life in lives if life.orphans), None),
    )


@dataclass(frozen=True)
class Evidence:
    """A fact that a finding rests on."""

    kind: EvidenceKind
    ref: str | None
    text: str


@dataclass(frozen=True)
class Proof:
    """What a rule answers: one sentence that a colleague understands, and the facts that prove it."""

    sentence: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True)
class Finding(Proof):
    """Why a flow stopped."""

    cause: str  # the name of the rule
