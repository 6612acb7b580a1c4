"""The causal graph of a file, or of one flow."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import UNSET, UnsetType, field

from collector.model.answers.base import Answer, Note, StateWord, says
from collector.model.answers.lists import Dismissed, Finding, SpansKept


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
    request: Annotated[bool, says("its sender waits for an answer: it is not an event")]
    time_unix_nano: int
    flow: str | None
    flows: Annotated[list[str] | UnsetType, says("all of them, where it is part of several")] = UNSET
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
    settled: Annotated[int, says("how often its messages were settled, in whatever way")]
    acked: int
    nacked: int
    terminated: int
    deliveries: Annotated[int | None, says("the highest number of a delivery; null where nobody said")]
    flow: str | None
    flows: Annotated[list[str] | UnsetType, says("all of them, where it is part of several")] = UNSET
    name: str | UnsetType = UNSET
    attributes: dict[str, Any] | UnsetType = UNSET
    resource: dict[str, Any] | UnsetType = UNSET
    events: list[dict[str, Any]] | UnsetType = UNSET
    status_message: str | UnsetType = UNSET
    event_type: Annotated[str | UnsetType | None, says("of the message that it handled")] = UNSET
    destination: str | UnsetType | None = UNSET
    wait_ms: Annotated[float | UnsetType | None, says("from the publish; null if that was not seen")] = UNSET
    wait_across_clocks: Annotated[bool | UnsetType, says("the wait is between two services' clocks")] = UNSET
    work_ms: float | UnsetType = UNSET
    expected: Annotated[Pace | UnsetType | None, says("what is normal for it")] = UNSET


class Edge(Answer, frozen=True, kw_only=True):
    """A delivery (message to reaction) or a cause (reaction to message)."""

    source: str = field(name="from")
    target: str = field(name="to")
    kind: Literal["delivery", "cause"]
    because: str
    certainty: Literal["observed", "inferred"]
    across_clocks: Annotated[bool, says("its ends are of two services: times between them have two clocks")]


class StitchedFlow(Answer, frozen=True, kw_only=True):
    """A flow of a causal graph."""

    id: str
    key: str | None
    traces: Annotated[list[str], says("at most 1,000 of them")]
    messages: int
    reactions: int


class Clocks(Answer, frozen=True, kw_only=True):
    """By how much the clock of `other` is ahead of that of `service`, as messages between them tell."""

    service: str
    other: str
    ahead_ms: Annotated[float | None, says("about; null where only one bound is known")]
    at_least_ms: float | None
    at_most_ms: float | None
    edges: int


class Stitched(Answer, frozen=True, kw_only=True):
    """A causal graph."""

    spans: int
    shown: Annotated[int, says("as many of the spans are in messages, reactions, edges and notes")]
    before: Annotated[int, says("as many of the spans come before those, in the order of their start")]
    next_cursor: Annotated[str | None, says("of the earlier part; with order=oldest, of the later one")]
    earlier_cursor: Annotated[str | None, says("of the part before this one; null on the first")]
    later_cursor: Annotated[str | None, says("of the part after this one; null on the last")]
    traces: int
    messages: list[Message]
    reactions: list[Reaction]
    edges: list[Edge]
    flows: Sequence[StitchedFlow]
    clocks: list[Clocks]
    notes: list[Note]
    unusable: Annotated[int, says("records and lines of a file that cannot be used; each is a note")]


class ShownFlow(StitchedFlow, frozen=True, kw_only=True):
    """A flow of a causal graph, with what lists say of it."""

    set_aside: Annotated[bool, says("it has too many spans to be judged: nobody knows what it waits for")]
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
    spans_kept: SpansKept
    dismissed: Dismissed | None


class Flow(Stitched, frozen=True, kw_only=True):
    """One flow: its graph, and what is wrong with it."""

    flows: Sequence[ShownFlow]
    findings: Annotated[list[Finding], says("the oldest, at most 1,000")]
    findings_total: int


class Spans(Answer, frozen=True, kw_only=True):
    """OTLP's ExportTraceServiceRequest in JSON."""

    resource_spans: list[dict[str, Any]] = field(name="resourceSpans")
    notes: Annotated[list[Note] | UnsetType, says("what is no longer kept; not there if all is")] = UNSET
