"""The API's documents as values: what the pages know of flows.

Only the fields that a page shows are named here; unknown ones are ignored, so
that a newer collector still answers an older dashboard. A field that an older
collector may lack has a default. Times are nanoseconds since the epoch in
`*_unix_nano`, durations milliseconds in `*_ms` or seconds in `*_s`.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field


class Answer(Struct, frozen=True, kw_only=True):
    """Base of all documents: frozen, because one answer is shown to many viewers."""


class Spans(Answer, frozen=True, kw_only=True):
    """How many spans arrived, and what became of them."""

    received: int = 0
    stored: int = 0
    duplicate: int = 0
    refused: int = 0


class Otlp(Answer, frozen=True, kw_only=True):
    """Where services send their spans."""

    grpc: str = "http://127.0.0.1:4317"
    http: str = "http://127.0.0.1:4318"


class Learning(Answer, frozen=True, kw_only=True):
    """From how much the expectations were learned."""

    flows: int = 0
    expectations: int = 0


class Summary(Answer, frozen=True, kw_only=True):
    """The state of everything in a few figures."""

    now_unix_nano: int
    tick_unix_nano: int | None = None
    tick_s: float = 1.0
    replayed: bool = True
    states: dict[str, int] = field(default_factory=dict)
    done_per_minute: float = 0.0
    p95_s: float | None = None
    oldest_stuck_s: float | None = None
    spans: Spans = Spans()
    otlp: Otlp = Otlp()
    learning: Learning = Learning()


class StoppedAt(Answer, frozen=True, kw_only=True):
    """The message or reaction after which nothing came."""

    ref: str | None = None
    event_type: str | None = None
    service: str | None = None
    destination: str | None = None


class Missing(Answer, frozen=True, kw_only=True):
    """The reaction that is owed."""

    service: str | None = None
    group: str | None = None
    next_event_type: str | None = None


class Expectation(Answer, frozen=True, kw_only=True):
    """How fast this reaction normally comes, and from how many flows that is known."""

    source: str = "learned"
    n: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    deadline_ms: float | None = None


class Evidence(Answer, frozen=True, kw_only=True):
    """One span, broker fact or absence that proves a finding."""

    kind: str
    text: str
    ref: str | None = None


class Finding(Answer, frozen=True, kw_only=True):
    """One answer of the diagnosis: where a flow stopped, since when, and why."""

    flow: str
    state: str
    since_unix_nano: int
    stopped_at: StoppedAt
    cause: str
    sentence: str
    key: str | None = None
    overdue_s: float | None = None
    missing: Missing | None = None
    expectation: Expectation | None = None
    evidence: list[Evidence] = []
    cohort: str | None = None
    blocked: list[str] = []


class Cohort(Answer, frozen=True, kw_only=True):
    """Findings of one kind: the same reaction owed for the same cause."""

    id: str
    event_type: str | None = None
    triggers: list[str] = []
    missing_service: str | None = None
    next_event_type: str | None = None
    cause: str = "unknown"
    flows: int = 0
    first_unix_nano: int = 0
    last_unix_nano: int = 0
    oldest_unix_nano: int | None = None
    sentence: str | None = None


class Stuck(Answer, frozen=True, kw_only=True):
    """The oldest open findings of each group, and all groups."""

    stuck: list[Finding]
    cohorts: list[Cohort] = []
    total: int | None = None
    next_cursor: str | None = None


class FlowItem(Answer, frozen=True, kw_only=True):
    """One flow in a list."""

    id: str
    key: str | None = None
    state: str = "running"
    started_unix_nano: int = 0
    last_unix_nano: int = 0
    last_event_type: str | None = None
    last_service: str | None = None
    waiting_for: str | None = None
    traces: list[str] = []
    outcome: str | None = None
    messages: int = 0
    reactions: int = 0
    incomplete: bool = False
    wait_ms: float = 0.0
    work_ms: float = 0.0
    overdue_s: float | None = None

    @property
    def name(self) -> str:
        """The business key, or the id that was given in its place."""
        return self.key or self.id


class Flows(Answer, frozen=True, kw_only=True):
    """One page of a search over flows."""

    flows: list[FlowItem]
    total: int | None = None
    next_cursor: str | None = None
    counts: dict[str, int] = field(default_factory=dict)


class Message(Answer, frozen=True, kw_only=True):
    """One published fact."""

    ref: str
    spans: list[str] = []
    event_type: str | None = None
    destination: str | None = None
    system: str | None = None
    service: str | None = None
    time_unix_nano: int = 0
    end_unix_nano: int | None = None
    flow: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    resource: dict[str, Any] = field(default_factory=dict)


class Reaction(Answer, frozen=True, kw_only=True):
    """One consumer group's handling of one message."""

    ref: str
    spans: list[str] = []
    service: str | None = None
    group: str | None = None
    attempts: int = 1
    start_unix_nano: int = 0
    end_unix_nano: int | None = None
    status: str = "ok"
    settled: int = 0
    acked: int = 0
    nacked: int = 0
    terminated: int = 0
    deliveries: int | None = None
    flow: str | None = None
    event_type: str | None = None
    destination: str | None = None
    wait_ms: float | None = None
    wait_across_clocks: bool = False
    work_ms: float | None = None
    expected: Expectation | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    resource: dict[str, Any] = field(default_factory=dict)
    status_message: str | None = None


class Edge(Answer, frozen=True, kw_only=True):
    """*delivery*: message to reaction. *cause*: reaction to message."""

    source: str = field(name="from")
    target: str = field(name="to")
    kind: str = "delivery"
    because: str = "link"
    certainty: str = "observed"


class Note(Answer, frozen=True, kw_only=True):
    """A repair or a doubt attached to the data."""

    kind: str
    text: str
    ref: str | None = None


class Clocks(Answer, frozen=True, kw_only=True):
    """By how much the clock of *other* is ahead of that of *service*; None where that is not known."""

    service: str
    other: str
    ahead_ms: float | None = None
    at_least_ms: float | None = None
    at_most_ms: float | None = None


class Flow(Answer, frozen=True, kw_only=True):
    """Everything about one flow: its causal graph, its state and its findings."""

    messages: list[Message] = []
    reactions: list[Reaction] = []
    edges: list[Edge] = []
    flows: list[FlowItem] = []
    clocks: list[Clocks] = []
    notes: list[Note] = []
    findings: list[Finding] = []


class Percentiles(Answer, frozen=True, kw_only=True):
    """Three points of a distribution, in milliseconds."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


class MapEvent(Answer, frozen=True, kw_only=True):
    """One event type of the choreography."""

    event_type: str
    count: int = 0
    terminal: bool = False
    services: list[str] = []


class MapReaction(Answer, frozen=True, kw_only=True):
    """One consumer group's reactions to one event type."""

    event_type: str
    service: str
    group: str | None = None
    count: int = 0
    share: float = 0.0
    wait_ms: Percentiles = Percentiles()
    work_ms: Percentiles = Percentiles()
    errors: int = 0


class MapEmit(Answer, frozen=True, kw_only=True):
    """What a service publishes after an event type."""

    service: str
    event_type: str
    emits: str
    count: int = 0
    share: float = 0.0


class Variant(Answer, frozen=True, kw_only=True):
    """One way that flows take through the choreography."""

    id: str
    events: list[str]
    count: int = 0
    share: float = 0.0
    p50_s: float | None = None
    outcome: str = "done"


class MapStuck(Answer, frozen=True, kw_only=True):
    """Flows that wait for the same reaction now."""

    flows: int
    event_type: str | None = None
    missing_service: str | None = None
    next_event_type: str | None = None


class Map(Answer, frozen=True, kw_only=True):
    """The emergent picture: who reacts to what, how often, how fast."""

    events: list[MapEvent] = []
    reactions: list[MapReaction] = []
    emits: list[MapEmit] = []
    variants: list[Variant] = []
    flows: int = 0
    flows_in_window: int = 0
    stuck: list[MapStuck] = []


class Fault(Answer, frozen=True, kw_only=True):
    """What is broken on purpose in one service of the demo shop."""

    kind: str
    share: float = 1.0
    delay_ms: float = 0


class ShopService(Answer, frozen=True, kw_only=True):
    """One service of the demo shop."""

    service: str
    processes: int = 1
    running: int = 1
    fault: Fault | None = None


class Shop(Answer, frozen=True, kw_only=True):
    """The demo shop, as its fault control describes it."""

    services: list[ShopService] = []
    orders_per_second: float = 0.0
