"""What all flows together show: the choreography, and the figures of the first page."""

from typing import Annotated

from collector.model.answers.base import Answer, says


class Percentiles(Answer, frozen=True, kw_only=True):
    """Three points of a distribution, in milliseconds."""

    p50: float
    p95: float
    p99: float


class MapEvent(Answer, frozen=True, kw_only=True):
    """One event type of the choreography."""

    event_type: str
    count: int
    terminal: bool
    request: bool
    services: list[str]
    root: Annotated[int, says("how many nobody was seen to cause")]


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

    flows: Annotated[int, says("of how many flows this is drawn: all, or a sample of the whole window")]
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


class Trouble(Answer, frozen=True, kw_only=True):
    """Something that is wrong with the collector itself."""

    kind: str
    text: str
    since_unix_nano: int
    refuses: Annotated[bool, says("while it lasts, no span is acknowledged")]


class Kept(Answer, frozen=True, kw_only=True):
    """What is kept, and for how long."""

    oldest_unix_nano: Annotated[int | None, says("when the oldest span that is kept was received")]
    days: Annotated[int, says("days that have spans, in UTC")]
    bytes: Annotated[int, says("on the disk, of all that is stored")]
    limit_days: int
    limit_bytes: int
    limit_flow_days: Annotated[int, says("for how long the row of a flow is kept")]
    unlisted: Annotated[int, says("flows that stopped and are not in `states`: see `unlisted` of stuck")]
    sentence: Annotated[str, says("how long spans are kept, and of when the oldest is")]


class Summary(Answer, frozen=True, kw_only=True):
    """The figures of the first page."""

    now_unix_nano: int
    tick_unix_nano: int | None
    tick_s: float
    replayed: Annotated[bool, says("after a start: unfinished flows of before are known again")]
    replay_share: Annotated[float, says("how much of what was stored before was replayed, from 0 to 1")]
    states: dict[str, int]
    done_per_minute: float
    p95_s: float | None
    oldest_stuck_s: float | None
    spans: SpanCounts
    otlp: Otlp
    learning: Learning
    kept: Kept
    troubles: Annotated[list[Trouble], says("the oldest first; none if all is well")]
