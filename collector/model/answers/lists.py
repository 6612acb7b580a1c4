"""What lists answer: flows, and where flows stopped and why."""

from typing import Annotated, Literal, TypeAlias

from collector.model.answers.base import Answer, Note, StateWord, says
from collector.model.answers.expectations import Drop, RestsOn

SpansKept: TypeAlias = Literal["all", "some", "none"]


class Dismissed(Answer, frozen=True, kw_only=True):
    """Who dismissed a flow as it stood, when, and why."""

    time_unix_nano: int
    author: str
    reason: str
    incident: Annotated[str | None, says("what was dismissed with it, in words; null if it was named alone")]


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
    traces: Annotated[list[str], says("at most 1,000 of them")]
    outcome: Annotated[str | None, says("the event type that ended it")]
    messages: int
    reactions: int
    incomplete: Annotated[bool, says("telemetry of it was lost")]
    wait_ms: float
    work_ms: float
    overdue_s: float | None
    spans_kept: Annotated[SpansKept, says("whether retention has dropped spans of it")]
    dismissed: Annotated[Dismissed | None, says("null unless it stopped and nobody needs to look")]
    set_aside: Annotated[bool, says("it has too many spans to be judged: nobody knows what it waits for")]


class LineTerm(Answer, frozen=True, kw_only=True):
    """A term of the search line that counts."""

    start: Annotated[int, says("where it begins in the line, in characters")]
    end: Annotated[int, says("before which character it ends")]
    field: Annotated[str | None, says("null for text")]
    negated: bool


class LineProblem(Answer, frozen=True, kw_only=True):
    """A part of the search line that cannot be read, or can hardly be meant. The rest of it counts."""

    start: Annotated[int, says("where it begins in the line, in characters")]
    end: Annotated[int, says("before which character it ends")]
    sentence: Annotated[str, says("what is wrong, and what was expected")]


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
    states: Annotated[list[str], says("the states that were asked for, in the line or beside it; empty: all")]
    line: LineRead
    nearest: Annotated[list[str], says("names of flows that look like the text, if nothing matches")]
    keyless: Annotated[bool, says("nothing matches the text, and the newest flows have no flow keys")]


EvidenceKind: TypeAlias = Literal["span", "broker", "absence"]


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
    triggers: Annotated[list[str], says("the events that it needs: several for a join")]


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


class CauseChange(Answer, frozen=True, kw_only=True):
    """From when on a finding had which cause."""

    time_unix_nano: int
    cause: str
    because: Annotated[str, says("what was said then")]


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
    blocked: Annotated[list[str], says("event types that normally come after the missing one")]
    cohort: str
    history: Annotated[list[CauseChange], says("its causes since it was overdue, oldest first")]


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
    replayed: Annotated[bool, says("false for moments after a start: what was stuck is not known yet")]
    total: int


class Why(Overdue, frozen=True, kw_only=True):
    """The findings of one flow."""

    notes: Annotated[list[Note], says("what of it is no longer kept")]
    set_aside: Annotated[bool, says("it has too many spans to be judged: nobody knows what it waits for")]


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
    dismissed: Annotated[int, says("flows that stopped and are left out here, in memory and in the store")]
    next_cursor: str | None
    drops: Annotated[list[Drop], says("shares that have fallen: no single flow is stuck by them")]
    rests_on: RestsOn
    unlisted: Annotated[Unlisted | None, says("flows that stopped, and are not listed here any more")]
    unexplained: Annotated[Unexplained | None, says("flows that stopped, and are in no finding")]


class Dismissal(Answer, frozen=True, kw_only=True):
    """What a person said about flows that had stopped, as it is stored."""

    time_unix_nano: int
    undo: bool
    flows: Annotated[int, says("how many it is about")]
    examples: Annotated[list[str], says("at most 20 of their ids")]
    incident: Annotated[str | None, says("what was described, in words; null if the flows were named")]
    author: str
    reason: str
