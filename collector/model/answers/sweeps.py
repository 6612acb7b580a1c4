"""What people had deleted, and what would be."""

from typing import Annotated, Literal, TypeAlias

from collector.model.answers.base import Answer, says

DeletionState: TypeAlias = Literal["dry_run", "waiting", "running", "done", "failed"]


class Deletion(Answer, frozen=True, kw_only=True):
    """Spans that a person had deleted, or would have: those for which all of its conditions hold."""

    id: int
    state: DeletionState
    step: Annotated[str | None, says("marking, removing, stitching or cleaning, while it runs")]
    service: Annotated[str | None, says("only spans of this service")]
    before_unix_nano: Annotated[int | None, says("only spans received before that time")]
    flow: Annotated[str | None, says("only spans of the flow with this id")]
    author: str
    reason: str
    time_unix_nano: Annotated[int, says("when it was asked for")]
    ended_unix_nano: int | None
    spans: Annotated[int, says("how many are stored; one that was sent again counts again")]
    flows: Annotated[int, says("stored flows that lose spans, all or some")]
    flows_stitched: Annotated[int | None, says("how many of them are stitched again, while it runs")]
    whole_flows: Annotated[int | None, says("those of which nothing stays; null where it was not counted")]
    cut_flows: Annotated[int | None, says("those that lose a part only, and stay without it; null likewise")]
    examples: Annotated[list[str], says("ids of flows that lose spans, at most 20")]
    services: Annotated[dict[str, int], says("spans by service, at most 20")]
    days: Annotated[dict[str, int], says("spans by day of arrival, UTC")]
    error: str | None


class Deletions(Answer, frozen=True, kw_only=True):
    """What people had deleted, the newest first."""

    deletions: Annotated[list[Deletion], says("at most 100")]
    total: int
