"""The collector's answers, as the pages know them.

Generated from `collector/model/answers/` by `make answers`: change it there. Fields that are not named here
are ignored, so a newer collector can answer an older dashboard. Times are integers, nanoseconds since the
epoch, in `*_unix_nano`; durations are milliseconds in `*_ms` or seconds in `*_s`.
"""

from dashboard.expectation_shapes import Answer


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
    root: int


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

    flows: int
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
    refuses: bool


class Kept(Answer, frozen=True, kw_only=True):
    """What is kept, and for how long."""

    oldest_unix_nano: int | None
    days: int
    bytes: int
    limit_days: int
    limit_bytes: int
    limit_flow_days: int
    unlisted: int
    sentence: str


class Summary(Answer, frozen=True, kw_only=True):
    """The figures of the first page."""

    now_unix_nano: int
    tick_unix_nano: int | None
    tick_s: float
    replayed: bool
    replay_share: float
    states: dict[str, int]
    done_per_minute: float
    p95_s: float | None
    oldest_stuck_s: float | None
    spans: SpanCounts
    otlp: Otlp
    learning: Learning
    kept: Kept
    troubles: list[Trouble]


class Deletion(Answer, frozen=True, kw_only=True):
    """Spans that a person had deleted, or would have: those for which all of its conditions hold."""

    id: int
    state: str
    step: str | None
    service: str | None
    before_unix_nano: int | None
    flow: str | None
    author: str
    reason: str
    time_unix_nano: int
    ended_unix_nano: int | None
    spans: int
    flows: int
    flows_stitched: int | None
    whole_flows: int | None
    cut_flows: int | None
    examples: list[str]
    services: dict[str, int]
    days: dict[str, int]
    error: str | None


class Deletions(Answer, frozen=True, kw_only=True):
    """What people had deleted, the newest first."""

    deletions: list[Deletion]
    total: int


class StoreDamage(Answer, frozen=True, kw_only=True):
    """Something stored that is damaged, or was."""

    table: str
    part: str
    begins_unix_nano: int | None
    ends_unix_nano: int | None
    rows: int | None
    reason: str


class Backup(Answer, frozen=True, kw_only=True):
    """The newest backup that was asked for since the collector started."""

    name: str
    state: str
    said: str


class Store(Answer, frozen=True, kw_only=True):
    """How much is stored, and whether it is whole."""

    kind: str
    bytes: int | None
    rows: dict[str, int]
    oldest_unix_nano: int | None
    checked_unix_nano: int | None
    checked_fully_unix_nano: int | None
    damages: list[StoreDamage]
    backup: Backup | None


class SendingService(Answer, frozen=True, kw_only=True):
    """A service whose spans arrived."""

    service: str
    language: str | None
    sdk: str | None
    first_unix_nano: int
    last_unix_nano: int
    longest_pause_s: int
    export_delay_p50_s: float
    export_delay_p99_s: float


class Connection(Answer, frozen=True, kw_only=True):
    """What a service did with one destination, in the flows that were active in the window."""

    service: str
    destination: str
    sent: int
    handled: int
    with_context: int
    with_flow_key: int


class ConnectionProblem(Answer, frozen=True, kw_only=True):
    """What seems to be wrong, and what mends it. A guess: only whoever runs the services knows."""

    kind: str
    service: str | None
    sentence: str
    fix: str
    docs: str


class Connections(Answer, frozen=True, kw_only=True):
    """Services, what they send and handle, and what is wrong with that, the worst first."""

    window_s: int
    since_unix_nano: int
    flows: int
    enough: bool
    services: list[SendingService]
    connections: list[Connection]
    problems: list[ConnectionProblem]


class BrokerConsumer(Answer, frozen=True, kw_only=True):
    """One group's place in a stream, as its broker last described it."""

    broker: str
    stream: str
    consumer: str
    group: str
    service: str | None
    pending: int
    in_flight: int
    most_in_flight: int | None
    redelivered: int
    paused: bool
    paused_until_unix_nano: int | None
    waiting_pulls: int | None
    bound: bool | None
    no_taker_since_unix_nano: int | None
    last_delivered_unix_nano: int | None
    flows_waiting: int
    as_of_unix_nano: int
    fresh: bool


class Broker(Answer, frozen=True, kw_only=True):
    """A broker that is read."""

    broker: str
    reached_unix_nano: int | None
    gaps: list[str]


class Consumers(Answer, frozen=True, kw_only=True):
    """What brokers know of consumers: those for which most flows wait come first."""

    brokers: list[Broker]
    consumers: list[BrokerConsumer]
    total: int
    unjoined: list[str]
