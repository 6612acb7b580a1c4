"""The answers that we promise: the one place where their shapes are written.

The API encodes these values, and its OpenAPI page is made from them; the commands show them; docs/answers.md is
checked against them; the dashboard has a copy that `make answers` writes. The order of the fields is the order in
JSON. Times are integers, nanoseconds since the epoch, in `*_unix_nano`; durations are milliseconds in `*_ms` or
seconds in `*_s`. A `ref` is `<trace id>:<span id>`.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType, field

StateWord: TypeAlias = Literal["running", "late", "stuck", "failed", "done"]
EvidenceKind: TypeAlias = Literal["span", "broker", "absence"]


class Answer(Struct, frozen=True, kw_only=True):
    """Base of all answers: frozen, because one answer is given to many readers."""


class Error(Answer, frozen=True, kw_only=True):
    """What was wrong, what was expected, what to do."""

    error: str
    nearest: Annotated[
        list[str] | UnsetType, Meta(description="flows whose key looks like the one asked for")
    ] = UNSET


class Percentiles(Answer, frozen=True, kw_only=True):
    """Three points of a distribution, in milliseconds."""

    p50: float
    p95: float
    p99: float


class FlowItem(Answer, frozen=True, kw_only=True):
    """One business run."""

    id: str
    key: Annotated[str | None, Meta(description="the flow key; null without one")]
    state: StateWord
    started_unix_nano: int
    last_unix_nano: int
    last_event_type: str | None
    last_service: str | None
    waiting_for: Annotated[str | None, Meta(description="the service that owes a reaction")]
    waiting_for_event: str | None
    traces: list[str]
    outcome: Annotated[str | None, Meta(description="the event type that ended it")]
    messages: int
    reactions: int
    incomplete: Annotated[bool, Meta(description="telemetry of it was lost")]
    wait_ms: float
    work_ms: float
    overdue_s: float | None

    @property
    def name(self) -> str:
        """The business key, or the id that was given in its place."""
        return self.key or self.id


class Flows(Answer, frozen=True, kw_only=True):
    """A page of flows."""

    flows: list[FlowItem]
    total: int
    next_cursor: str | None
    counts: dict[str, int]


class Pace(Answer, frozen=True, kw_only=True):
    """How long something normally takes, and from how many examples that is known."""

    n: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


class Message(Answer, frozen=True, kw_only=True):
    """One published fact. From `name` on: only where one flow is asked for."""

    ref: str
    spans: list[str]
    event_type: str | None
    destination: str | None
    system: str | None
    service: str | None
    request: Annotated[bool, Meta(description="its sender waits for an answer: it is not an event")]
    time_unix_nano: int
    flow: str | None
    flows: Annotated[list[str] | UnsetType, Meta(description="all of them, where it is part of several")] = (
        UNSET
    )
    name: str | UnsetType = UNSET
    attributes: dict[str, Any] | UnsetType = UNSET
    resource: dict[str, Any] | UnsetType = UNSET
    events: list[dict[str, Any]] | UnsetType = UNSET
    status_message: str | UnsetType = UNSET
    end_unix_nano: int | UnsetType = UNSET


class Reaction(Answer, frozen=True, kw_only=True):
    """One consumer group's handling of one message. From `name` on: only where one flow is asked for."""

    ref: str
    spans: list[str]
    service: str | None
    group: str | None
    attempts: int
    start_unix_nano: int
    end_unix_nano: int
    status: Literal["ok", "error"]
    settled: Annotated[int, Meta(description="how often its messages were settled, in whatever way")]
    acked: int
    nacked: int
    terminated: int
    deliveries: Annotated[
        int | None, Meta(description="the highest number of a delivery; null where nobody said")
    ]
    flow: str | None
    flows: Annotated[list[str] | UnsetType, Meta(description="all of them, where it is part of several")] = (
        UNSET
    )
    name: str | UnsetType = UNSET
    attributes: dict[str, Any] | UnsetType = UNSET
    resource: dict[str, Any] | UnsetType = UNSET
    events: list[dict[str, Any]] | UnsetType = UNSET
    status_message: str | UnsetType = UNSET
    event_type: Annotated[str | UnsetType | None, Meta(description="of the message that it handled")] = UNSET
    destination: str | UnsetType | None = UNSET
    wait_ms: Annotated[
        float | UnsetType | None, Meta(description="from the publish; null where that was not seen")
    ] = UNSET
    wait_across_clocks: Annotated[
        bool | UnsetType, Meta(description="the wait is between two services' clocks")
    ] = UNSET
    work_ms: float | UnsetType = UNSET
    expected: Annotated[Pace | UnsetType | None, Meta(description="what is normal for it")] = UNSET


class Edge(Answer, frozen=True, kw_only=True):
    """A delivery (message to reaction) or a cause (reaction to message)."""

    source: str = field(name="from")
    target: str = field(name="to")
    kind: Literal["delivery", "cause"]
    because: str
    certainty: Literal["observed", "inferred"]
    across_clocks: Annotated[
        bool, Meta(description="its ends are of two services: times between them have two clocks")
    ]


class StitchedFlow(Answer, frozen=True, kw_only=True):
    """A flow of a causal graph."""

    id: str
    key: str | None
    traces: list[str]
    messages: int
    reactions: int


class Clocks(Answer, frozen=True, kw_only=True):
    """By how much the clock of `other` is ahead of that of `service`, as far as messages between them tell."""

    service: str
    other: str
    ahead_ms: Annotated[float | None, Meta(description="about; null where only one bound is known")]
    at_least_ms: float | None
    at_most_ms: float | None
    edges: int


class Note(Answer, frozen=True, kw_only=True):
    """A repair or a doubt."""

    kind: str
    ref: str | None
    text: str


class Stitched(Answer, frozen=True, kw_only=True):
    """A causal graph."""

    spans: int
    traces: int
    messages: list[Message]
    reactions: list[Reaction]
    edges: list[Edge]
    flows: Sequence[StitchedFlow]
    clocks: list[Clocks]
    notes: list[Note]
    unusable: Annotated[
        int, Meta(description="records and lines of a file that cannot be used; each is a note")
    ]


class StoppedAt(Answer, frozen=True, kw_only=True):
    """The message or reaction after which nothing came."""

    ref: str
    event_type: str
    service: str
    destination: str | None


class Missing(Answer, frozen=True, kw_only=True):
    """What is owed, and by whom."""

    service: str
    group: str
    next_event_type: str | None
    triggers: Annotated[list[str], Meta(description="the events that it needs: several for a join")]


class Expectation(Answer, frozen=True, kw_only=True):
    """How fast this normally comes, and from how many examples that is known."""

    source: Literal["learned", "declared"]
    n: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    deadline_ms: float


class Evidence(Answer, frozen=True, kw_only=True):
    """One span, broker fact or absence that proves a finding."""

    kind: EvidenceKind
    ref: str | None
    text: str


class Finding(Answer, frozen=True, kw_only=True):
    """One answer of the diagnosis: where a flow stopped, since when, and why."""

    flow: str
    key: str | None
    state: StateWord
    since_unix_nano: int
    overdue_s: float
    stopped_at: StoppedAt
    missing: Missing
    cause: str
    sentence: str
    expectation: Expectation | None
    evidence: list[Evidence]
    blocked: Annotated[list[str], Meta(description="event types that normally come after the missing one")]
    cohort: str


class Cohort(Answer, frozen=True, kw_only=True):
    """Findings that are one incident."""

    id: str
    event_type: str
    triggers: list[str]
    missing_service: str
    next_event_type: str | None
    cause: str
    sentence: str
    flows: int
    first_unix_nano: int
    last_unix_nano: int
    oldest_unix_nano: int


class Why(Answer, frozen=True, kw_only=True):
    """The findings of one flow."""

    stuck: list[Finding]
    cohorts: list[Cohort]
    replayed: Annotated[
        bool, Meta(description="false for moments after a start: what was stuck is not known yet")
    ]


class Stuck(Why, frozen=True, kw_only=True):
    """A page of findings, oldest first."""

    total: int
    flows: int
    next_cursor: str | None


class ShownFlow(StitchedFlow, frozen=True, kw_only=True):
    """A flow of a causal graph, with what lists say of it."""

    state: StateWord
    started_unix_nano: int
    last_unix_nano: int
    last_event_type: str | None
    last_service: str | None
    waiting_for: str | None
    waiting_for_event: str | None
    outcome: str | None
    incomplete: bool
    wait_ms: float
    work_ms: float
    overdue_s: float | None


class Flow(Stitched, frozen=True, kw_only=True):
    """One flow: its graph, and what is wrong with it."""

    flows: Sequence[ShownFlow]
    findings: list[Finding]


class Spans(Answer, frozen=True, kw_only=True):
    """OTLP's ExportTraceServiceRequest in JSON."""

    resourceSpans: list[dict[str, Any]]  # noqa: N815  # OTLP's name


class MapEvent(Answer, frozen=True, kw_only=True):
    """One event type of the choreography."""

    event_type: str
    count: int
    terminal: bool
    request: bool
    services: list[str]
    root: Annotated[int, Meta(description="how many nobody was seen to cause")]


class MapReaction(Answer, frozen=True, kw_only=True):
    """One consumer group's reactions to one event type."""

    event_type: str
    service: str
    group: str
    count: int
    share: float
    wait_ms: Percentiles
    work_ms: Percentiles
    errors: int


class MapEmit(Answer, frozen=True, kw_only=True):
    """What a service publishes after an event type."""

    service: str
    event_type: str
    emits: str
    count: int
    share: float


class Variant(Answer, frozen=True, kw_only=True):
    """One way that flows take through the choreography."""

    id: str
    events: list[str]
    count: int
    share: float
    p50_s: float
    outcome: str


class MapStuck(Answer, frozen=True, kw_only=True):
    """Flows that wait for the same reaction now."""

    event_type: str
    missing_service: str
    next_event_type: str | None
    flows: int


class Map(Answer, frozen=True, kw_only=True):
    """The choreography of a window: who reacts to what, how often, how fast."""

    flows: Annotated[int, Meta(description="of how many flows this is drawn: the newest")]
    flows_in_window: int
    events: list[MapEvent]
    reactions: list[MapReaction]
    emits: list[MapEmit]
    variants: list[Variant]
    stuck: list[MapStuck]


class SpanCounts(Answer, frozen=True, kw_only=True):
    """How many spans arrived, and what became of them."""

    received: int
    stored: int
    duplicate: int
    refused: int


class Otlp(Answer, frozen=True, kw_only=True):
    """Where services send their spans."""

    grpc: str
    http: str


class Learning(Answer, frozen=True, kw_only=True):
    """From how many flows how many expectations were learned."""

    flows: int
    expectations: int


class Summary(Answer, frozen=True, kw_only=True):
    """The figures of the first page."""

    now_unix_nano: int
    tick_unix_nano: int | None
    tick_s: float
    replayed: Annotated[bool, Meta(description="after a start: unfinished flows of before are known again")]
    states: dict[str, int]
    done_per_minute: float
    p95_s: float | None
    oldest_stuck_s: float | None
    spans: SpanCounts
    otlp: Otlp
    learning: Learning


# What a path, a command or a file answers with: by these, OpenAPI and the documents are checked.
ANSWERS: tuple[type[Answer], ...] = (Error, Flow, Flows, Map, Spans, Stitched, Stuck, Summary, Why)
