"""Who sends spans, who is connected to whom, and what is wrong with that."""

from typing import Annotated, Literal, TypeAlias

from collector.model.answers.base import Answer, says

ProblemKind: TypeAlias = Literal[
    "no_context", "no_flow_key", "unseen_publisher", "unhandled", "slow_export", "silent_service"
]


class SendingService(Answer, frozen=True, kw_only=True):
    """A service whose spans arrived."""

    service: str
    language: Annotated[str | None, says("telemetry.sdk.language of its resource")]
    sdk: Annotated[str | None, says("telemetry.sdk.version")]
    first_unix_nano: Annotated[int, says("when the first of its spans that were looked at was received")]
    last_unix_nano: Annotated[int, says("when its newest span was received")]
    longest_pause_s: Annotated[int, says("between two of them, in whole minutes")]
    export_delay_p50_s: float
    export_delay_p99_s: Annotated[float, says("from the end of a span until it was received")]


class Connection(Answer, frozen=True, kw_only=True):
    """What a service did with one destination, in the flows that were active in the window."""

    service: str
    destination: Annotated[str, says("the event type, which is the destination unless something names it")]
    sent: int
    handled: int
    with_context: Annotated[int, says("of what was handled: its message was seen, or a context names it")]
    with_flow_key: Annotated[int, says("of both: in a flow that has a flow key")]


class ConnectionProblem(Answer, frozen=True, kw_only=True):
    """What seems to be wrong, and what mends it. A guess: only whoever runs the services knows."""

    kind: ProblemKind
    service: str | None
    sentence: str
    fix: str
    docs: Annotated[str, says("where it is explained, in the project's docs")]


class Connections(Answer, frozen=True, kw_only=True):
    """Services, what they send and handle, and what is wrong with that, the worst first."""

    window_s: int
    since_unix_nano: Annotated[int, says("flows count that were active since then")]
    flows: int
    enough: Annotated[bool, says("enough was seen to tell problems from a beginning")]
    services: list[SendingService]
    connections: list[Connection]
    problems: list[ConnectionProblem]
