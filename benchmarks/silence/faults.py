"""What can be wrong with a service, its messages, its telemetry and the collector, and when."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

ALWAYS = float("inf")

DOWN = {"consumer_down": ""}
NOT_TAKEN = {"unknown": ""}
SILENT = {"handler_silent": ""}
FAILED = {"handler_failed": ""}

FaultKind = Literal[
    "down", "killed", "lost", "silent", "fails", "contextless", "unchosen", "unheard", "uncalled", "hangs"
]


@dataclass(frozen=True)
class Fault:
    """Something about *service* from *begin* to *end*, in a *share* of what it takes.

    *down*: it takes nothing. *killed*: nor does it send its last batch of spans, or end what it handles.
    *lost*: messages do not get to it. *silent*: it publishes nothing. *fails*: each of `tries` attempts ends
    in an error. *contextless*: it publishes without context. *unchosen*: it leaves out what content decides.
    *unheard*: it works, and nobody can know, because its telemetry is lost.
    *uncalled*: an event from outside is not published. *hangs*: what begins does not end.
    """

    kind: FaultKind
    service: str
    causes: Mapping[str, str]
    begin: float = 0.0
    end: float = ALWAYS
    share: float = 1.0
    event: str | None = None  # only what it takes of this type
    missing: str | None = None  # only what it publishes of this type
    also: frozenset[str] = frozenset()  # services that the finding may name as well
    within: int = 0
    pauses: Sequence[float] = ()  # between attempts
    recovers: bool = False  # the last attempt goes well
    terminates: bool = False  # the last attempt tells the broker never to redeliver
    truthful: bool = True  # it is wrong: something is missing for good

    def at(self, when: float) -> bool:
        """Whether it is there at that time."""
        return self.begin <= when < self.end


@dataclass(frozen=True)
class Loss:
    """Spans that do not arrive: a *share* of those that end between *begin* and *end*."""

    share: float
    begin: float = 0.0
    end: float = ALWAYS
    service: str | None = None  # None: of all services
    by_trace: bool = False  # all spans of a trace share their fate


@dataclass(frozen=True)
class Stop:
    """The collector is not there from *begin* to *end*, and then replays for some seconds."""

    begin: float
    end: float
    replays: float = 1.0


@dataclass(frozen=True)
class Weather:
    """All that is not as it should be in a run."""

    faults: Sequence[Fault] = ()
    losses: Sequence[Loss] = ()
    stops: Sequence[Stop] = ()
    slower: Mapping[str, Callable[[float], float]] = field(
        default_factory=dict
    )  # by service: factor at a time
    durable: bool = True  # messages wait for services that are down
