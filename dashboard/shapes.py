"""The collector's answers, as the pages know them.

Generated from `collector/model/answers/` by `make answers`: change it there. Fields that are not named here
are ignored, so a newer collector can answer an older dashboard. Times are integers, nanoseconds since the
epoch, in `*_unix_nano`; durations are milliseconds in `*_ms` or seconds in `*_s`.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import field

from dashboard.expectation_shapes import Answer, Drop, Note, RestsOn


class Dismissed(Answer, frozen=True, kw_only=True):
    """Who dismissed a flow as it stood, when, and why."""

    time_unix_nano: int
    author: str
    reason: str
    incident: str | None


class FlowItem(Answer, frozen=True, kw_only=True):
    """One business run."""

    id: str
    key: str | None
    state: str
    started_unix_nano: int
    last_unix_nano: int
    last_event_type: str | None
    last_service: str | None
    waiting_for: str | None
    waiting_for_event: str | None
    traces: list[str]
    outcome: str | None
    messages: int
    reactions: int
    incomplete: bool
    wait_ms: float
    work_ms: float
    overdue_s: float | None
    spans_kept: str
    dismissed: Dismissed | None
    set_aside: bool


class LineTerm(Answer, frozen=True, kw_only=True):
    """A term of the search line that counts."""

    start: int
    end: int
    field: str | None
    negated: bool


class LineProblem(Answer, frozen=True, kw_only=True):
    """A part of the search line that cannot be read, or can hardly be meant. The rest of it counts."""

    start: int
    end: int
    sentence: str


class LineRead(Answer, frozen=True, kw_only=True):
    """How the search line was read."""

    text: str
    terms: list[LineTerm]
    problems: list[LineProblem]


class Flows(Answer, frozen=True, kw_only=True):
    """A page of flows."""

    flows: list[FlowItem]
    total: int
    next_cursor: str | None
    counts: dict[str, int]
    states: list[str]
    line: LineRead
    nearest: list[str]
    keyless: bool


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
    triggers: list[str]


class Expectation(Answer, frozen=True, kw_only=True):
    """How fast this normally comes, and from how many examples that is known."""

    source: str
    n: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    deadline_ms: float


class Evidence(Answer, frozen=True, kw_only=True):
    """One span, broker fact or absence that proves a finding."""

    kind: str
    ref: str | None
    text: str


class CauseChange(Answer, frozen=True, kw_only=True):
    """From when on a finding had which cause."""

    time_unix_nano: int
    cause: str
    because: str


class Finding(Answer, frozen=True, kw_only=True):
    """One answer of the diagnosis: where a flow stopped, since when, and why."""

    flow: str
    key: str | None
    state: str
    since_unix_nano: int
    overdue_s: float
    stopped_at: StoppedAt
    missing: Missing
    cause: str
    sentence: str
    expectation: Expectation | None
    evidence: list[Evidence]
    blocked: list[str]
    cohort: str
    history: list[CauseChange]


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


class Overdue(Answer, frozen=True, kw_only=True):
    """Findings, oldest first, and the incidents that they belong to."""

    stuck: list[Finding]
    cohorts: list[Cohort]
    replayed: bool
    total: int


class Why(Overdue, frozen=True, kw_only=True):
    """The findings of one flow."""

    notes: list[Note]
    set_aside: bool


class Unlisted(Answer, frozen=True, kw_only=True):
    """Flows that stopped, and of which spans were dropped: nothing more can be said about them."""

    flows: int
    before_unix_nano: int
    sentence: str


class Unexplained(Answer, frozen=True, kw_only=True):
    """Flows that are stuck or have failed, and for which nobody knows any more what they wait for."""

    flows: int
    sentence: str


class Stuck(Overdue, frozen=True, kw_only=True):
    """A page of findings, oldest first."""

    flows: int
    dismissed: int
    next_cursor: str | None
    drops: list[Drop]
    rests_on: RestsOn
    unlisted: Unlisted | None
    unexplained: Unexplained | None


class Dismissal(Answer, frozen=True, kw_only=True):
    """What a person said about flows that had stopped, as it is stored."""

    time_unix_nano: int
    undo: bool
    flows: int
    examples: list[str]
    incident: str | None
    author: str
    reason: str


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
    request: bool
    time_unix_nano: int
    flow: str | None
    flows: list[str] = []
    name: str | None = None
    attributes: dict[str, Any] = {}
    resource: dict[str, Any] = {}
    events: list[dict[str, Any]] = []
    status_message: str | None = None
    end_unix_nano: int | None = None


class Reaction(Answer, frozen=True, kw_only=True):
    """One consumer group's handling of one message. From `name` on: only where one flow is asked for."""

    ref: str
    spans: list[str]
    service: str | None
    group: str | None
    attempts: int
    start_unix_nano: int
    end_unix_nano: int
    status: str
    settled: int
    acked: int
    nacked: int
    terminated: int
    deliveries: int | None
    flow: str | None
    flows: list[str] = []
    name: str | None = None
    attributes: dict[str, Any] = {}
    resource: dict[str, Any] = {}
    events: list[dict[str, Any]] = []
    status_message: str | None = None
    event_type: str | None = None
    destination: str | None = None
    wait_ms: float | None = None
    wait_across_clocks: bool = False
    work_ms: float | None = None
    expected: Pace | None = None


class Edge(Answer, frozen=True, kw_only=True):
    """A delivery (message to reaction) or a cause (reaction to message)."""

    source: str = field(name="from")
    target: str = field(name="to")
    kind: str
    because: str
    certainty: str
    across_clocks: bool


class StitchedFlow(Answer, frozen=True, kw_only=True):
    """A flow of a causal graph."""

    id: str
    key: str | None
    traces: list[str]
    messages: int
    reactions: int


class Clocks(Answer, frozen=True, kw_only=True):
    """By how much the clock of `other` is ahead of that of `service`, as messages between them tell."""

    service: str
    other: str
    ahead_ms: float | None
    at_least_ms: float | None
    at_most_ms: float | None
    edges: int


class Stitched(Answer, frozen=True, kw_only=True):
    """A causal graph."""

    spans: int
    shown: int
    before: int
    next_cursor: str | None
    earlier_cursor: str | None
    later_cursor: str | None
    traces: int
    messages: list[Message]
    reactions: list[Reaction]
    edges: list[Edge]
    flows: Sequence[StitchedFlow]
    clocks: list[Clocks]
    notes: list[Note]
    unusable: int


class ShownFlow(StitchedFlow, frozen=True, kw_only=True):
    """A flow of a causal graph, with what lists say of it."""

    set_aside: bool
    state: str
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
    spans_kept: str
    dismissed: Dismissed | None


class Flow(Stitched, frozen=True, kw_only=True):
    """One flow: its graph, and what is wrong with it."""

    flows: Sequence[ShownFlow]
    findings: list[Finding]
    findings_total: int


class Spans(Answer, frozen=True, kw_only=True):
    """OTLP's ExportTraceServiceRequest in JSON."""

    resource_spans: list[dict[str, Any]] = field(name="resourceSpans")
    notes: list[Note] = []
