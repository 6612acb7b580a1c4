"""One answer of the diagnosis, and what a rule may look at to give it."""

from dataclasses import dataclass, field
from enum import StrEnum

from collector.diagnosis.expected import Expectation
from collector.diagnosis.owed import Debt
from collector.model.answers import EvidenceKind


class Cause(StrEnum):
    """Why a flow stopped. The names are a promise to scripts."""

    CONSUMER_DOWN = "consumer_down"
    NOT_ACKNOWLEDGED = "not_acknowledged"
    BACKLOG = "backlog"
    GAVE_UP = "gave_up"
    HANDLER_FAILED = "handler_failed"
    HANDLER_SILENT = "handler_silent"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Place:
    """The span at which a flow stopped."""

    ref: str  # <trace id>:<span id>
    event_type: str
    service: str
    destination: str | None
    error: str | None = None  # what the span's status says
    instance: str | None = None  # which process of the service; of the word that a handling began


@dataclass(frozen=True)
class Case:
    """One thing that a flow owes and that is overdue. Times are nanoseconds since the epoch."""

    debt: Debt
    stopped_at: Place
    service: str  # who owes it
    group: str
    since: int
    now: int
    due_ms: float
    deadline_ms: float
    expectation: Expectation | None  # none: a handling failed before anything was learned
    attempts: int = 1
    final: bool = False
    terminated: bool = False  # its consumer told the broker not to deliver it again
    # Of a reaction that is owed the word that it began; else a request of the handling without an answer.
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
    """What was last seen of a reactor on one event type. Times are nanoseconds since the epoch."""

    last: int | None  # when it last began to handle one; None: never
    served: int | None  # when the newest message that it handled was published
    waiting: int  # flows whose message it has not handled and that are overdue
    unfinished: int = 0  # of these messages those that it has begun to handle


@dataclass(frozen=True)
class Evidence:
    """A fact that the answer rests on."""

    kind: EvidenceKind
    ref: str | None
    text: str


@dataclass(frozen=True)
class Finding:
    """Why a flow stopped, in one sentence that a colleague understands, with the facts that prove it."""

    cause: Cause
    sentence: str
    evidence: tuple[Evidence, ...] = field(default=())
