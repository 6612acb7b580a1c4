"""A page of flows."""

from typing import Annotated

from collector.model.answers.base import Answer, StateWord, says


class FlowItem(Answer, frozen=True, kw_only=True):
    """One business run."""

    id: str
    key: Annotated[str | None, says("the flow key; null without one")]
    state: StateWord
    started_unix_nano: int
    last_unix_nano: int
    last_event_type: str | None
    last_service: str | None
    waiting_for: Annotated[str | None, says("the service that owes a reaction")]
    waiting_for_event: str | None
    traces: list[str]
    outcome: Annotated[str | None, says("the event type that ended it")]
    messages: int
    reactions: int
    incomplete: Annotated[bool, says("telemetry of it was lost")]
    wait_ms: float
    work_ms: float
    overdue_s: float | None


class Flows(Answer, frozen=True, kw_only=True):
    """A page of flows."""

    flows: list[FlowItem]
    total: int
    next_cursor: str | None
    counts: dict[str, int]
