"""The shapes of the answers, for the OpenAPI page. Times are nanoseconds since the epoch."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

StateWord = Literal["running", "late", "stuck", "failed", "done"]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="allow")


class Error(_Shape):
    """What was wrong, what was expected, what to do."""

    error: str


class FlowItem(_Shape):
    """One business run."""

    id: str
    key: str | None = Field(description="the flow key; null without one")
    state: StateWord
    started_unix_nano: int
    last_unix_nano: int
    last_event_type: str | None
    last_service: str | None
    waiting_for: str | None = Field(description="the service that owes a reaction")
    waiting_for_event: str | None
    traces: list[str]
    outcome: str | None = Field(description="the event type that ended it")
    messages: int
    reactions: int
    incomplete: bool = Field(description="telemetry of it was lost")
    wait_ms: float
    work_ms: float
    overdue_s: float | None


class Flows(_Shape):
    """A page of flows."""

    flows: list[FlowItem]
    total: int
    next_cursor: str | None
    counts: dict[str, int]


class Message(_Shape):
    """One published fact."""

    ref: str
    spans: list[str]
    event_type: str
    destination: str | None
    system: str | None
    service: str
    time_unix_nano: int
    flow: str | None


class Reaction(_Shape):
    """One consumer group's handling of one message."""

    ref: str
    spans: list[str]
    service: str
    group: str
    attempts: int
    start_unix_nano: int
    end_unix_nano: int
    status: Literal["ok", "error"]
    settled: int = Field(description="how often its messages were settled, in whatever way")
    acked: int
    nacked: int
    terminated: int
    deliveries: int | None = Field(description="the highest number of a delivery; null where nobody said")
    flow: str | None


class Edge(_Shape):
    """A delivery (message to reaction) or a cause (reaction to message)."""

    from_: str = Field(alias="from")
    to: str
    kind: Literal["delivery", "cause"]
    because: str
    certainty: Literal["observed", "inferred"]
    across_clocks: bool = Field(
        description="its ends are of two services, so that times between them have two clocks"
    )


class Clocks(_Shape):
    """By how much the clock of one service is ahead of that of another, by the messages between them."""

    service: str
    other: str
    ahead_ms: float | None = Field(description="of `other`: about; null where only one bound is known")
    at_least_ms: float | None
    at_most_ms: float | None
    edges: int


class Note(_Shape):
    """A repair or a doubt."""

    kind: str
    ref: str | None
    text: str


class Stitched(_Shape):
    """A causal graph."""

    spans: int
    traces: int
    messages: list[Message]
    reactions: list[Reaction]
    edges: list[Edge]
    flows: list[dict[str, Any]]
    clocks: list[Clocks]
    notes: list[Note]
    unusable: int = Field(description="records and lines of a file that can not be used; each is a note")


class Finding(_Shape):
    """One answer of the diagnosis."""

    flow: str
    key: str | None
    state: StateWord
    since_unix_nano: int
    overdue_s: float
    stopped_at: dict[str, str | None]
    missing: dict[str, Any]
    cause: str
    sentence: str
    expectation: dict[str, Any] | None
    evidence: list[dict[str, str | None]]
    cohort: str
    blocked: list[str]


class Cohort(_Shape):
    """Findings that are one incident."""

    id: str
    event_type: str
    triggers: list[str]
    missing_service: str
    cause: str
    flows: int
    first_unix_nano: int
    last_unix_nano: int


class Why(_Shape):
    """The findings of one flow."""

    stuck: list[Finding]
    cohorts: list[Cohort]
    replayed: bool = Field(description="false for moments after a start: what was stuck is not known yet")


class Stuck(Why):
    """A page of findings, oldest first."""

    total: int
    flows: int
    next_cursor: str | None


class Flow(Stitched):
    """One flow: its graph, and what is wrong with it."""

    findings: list[Finding]


class Spans(_Shape):
    """OTLP's ExportTraceServiceRequest in JSON."""

    resourceSpans: list[dict[str, Any]]  # noqa: N815  # OTLP's name


class Map(_Shape):
    """The choreography of a window."""

    flows: int = Field(description="of how many flows this is drawn: the newest")
    flows_in_window: int
    events: list[dict[str, Any]]
    reactions: list[dict[str, Any]]
    emits: list[dict[str, Any]]
    variants: list[dict[str, Any]]
    stuck: list[dict[str, Any]]


class Summary(_Shape):
    """The figures of the first page."""

    now_unix_nano: int
    tick_unix_nano: int | None
    tick_s: float
    replayed: bool = Field(description="after a start: unfinished flows of before are known again")
    states: dict[str, int]
    done_per_minute: float
    p95_s: float | None
    oldest_stuck_s: float | None
    spans: dict[str, int]
    otlp: dict[str, str]
    learning: dict[str, int]
