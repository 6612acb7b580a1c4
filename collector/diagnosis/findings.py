"""What is a finding, and what may a rule use to make one?"""

from dataclasses import dataclass

from collector.diagnosis.expected import Expectation
from collector.diagnosis.owed import Debt
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
        return self.expectation.next_event_type if self.expectation else None


@dataclass(frozen=True)
class Life:
    """What was last seen of a reactor for one event type. Times are nanoseconds since the epoch."""

    last: int | None  # when it last began to handle one; None if never
    served: int | None  # when the newest message that it handled was published; None if unknown
    waiting: int  # overdue flows whose message it has not handled
    unfinished: int = 0  # how many of these messages it has begun to handle


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
