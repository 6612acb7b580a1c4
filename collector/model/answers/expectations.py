"""What is expected of whom after what, how sure that is, and what people said about it."""

from typing import Annotated, Literal, TypeAlias

from collector.model.answers.base import Answer, says

ExpectationKind: TypeAlias = Literal["reaction", "publish", "join", "input"]
NoteKind: TypeAlias = Literal["telemetry_missing", "ended_flows_owed", "crowded"]
ExpectationState: TypeAlias = Literal["learning", "always", "sometimes", "declared", "forgotten"]


class Changed(Answer, frozen=True, kw_only=True):
    """When an expectation changed, and why."""

    time_unix_nano: int
    state: Annotated[ExpectationState, says("from then on")]
    change: Annotated[str, says("why")]
    by: Literal["learning", "person"]
    author: Annotated[str | None, says("who said so; null if it was learned")]
    reason: Annotated[str | None, says("what the author gave as the reason")]


class ExpectedStep(Answer, frozen=True, kw_only=True):
    """One thing that is, was or may come to be expected of a service."""

    kind: Annotated[ExpectationKind, says("what it does; input: what it needs for a join, from others")]
    event_type: Annotated[str, says("after this it is expected: the first of `triggers`")]
    triggers: Annotated[list[str], says("several for a join, and for what a join needs")]
    service: str
    group: str
    publishes: Annotated[list[str], says("what it publishes then, or what it is known to publish")]
    needs: Annotated[str | None, says("of an input: the event type that has to come as well")]
    state: ExpectationState
    said: Annotated[str, says("the state in a phrase, such as `learning 12 of 20`")]
    why: Annotated[str, says("what is expected and how that is known, in one sentence")]
    source: Literal["learned", "declared"]
    share: Annotated[float, says("in how many of the cases it happened, 0 to 1")]
    n: Annotated[int, says("cases that the share is taken from")]
    needed: Annotated[int, says("as many cases make it known")]
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    deadline_ms: Annotated[float | None, says("null where a single flow is not stuck without it")]
    since_unix_nano: Annotated[int, says("since when it has this state")]
    kept_unix_nano: Annotated[int | None, says("when it was last seen to happen; null if never")]
    missed: Annotated[int, says("in how many of the newest `recent` cases it did not happen")]
    recent: int
    disused: Annotated[bool, says("still expected, and not seen to happen for a day")]
    owner: Annotated[str | None, says("who looks after the service, as declared")]
    runbook: Annotated[str | None, says("an address, as declared")]
    history: Annotated[list[Changed], says("oldest first")]


class Drop(Answer, frozen=True, kw_only=True):
    """A share that has fallen further than chance explains."""

    kind: Annotated[Literal["take", "publish", "follow"], says("of what the share is")]
    event_type: str
    service: Annotated[str | None, says("null for follow")]
    group: str | None
    missing: Annotated[str | None, says("what is published less often")]
    share: Annotated[float, says("what is normal, 0 to 1")]
    n: Annotated[int, says("cases that `share` is taken from")]
    hits: Annotated[int, says("in how many of the newest `window` cases it happened")]
    window: int
    since_unix_nano: int
    flows: Annotated[list[str], says("ids of flows concerned, newest first, at most 20")]
    sentence: str


class Decision(Answer, frozen=True, kw_only=True):
    """What a person said about all that is expected of a service after an event type."""

    time_unix_nano: int
    word: Literal["forget", "keep"]
    event_type: str
    service: str
    author: str
    reason: str


class ServiceNote(Answer, frozen=True, kw_only=True):
    """What is said of a service and of no flow.

    Its spans are missing although their effects are seen; it owes something to flows that had ended
    (`ended_flows_owed`); or a limit leaves it out (`crowded`).
    """

    kind: NoteKind
    service: Annotated[str, says("`__other__` for all that a limit leaves out")]
    since_unix_nano: int
    text: str
    flows: Annotated[list[str], says("ids of flows concerned, newest first, at most 20")]


class RestsOn(Answer, frozen=True, kw_only=True):
    """What it rests on if nothing is called stuck: counts of `ExpectedStep` and of `Drop`."""

    expected: Annotated[int, says("a flow without it is stuck: always and declared")]
    learning: Annotated[int, says("not known well enough yet")]
    sometimes: Annotated[int, says("watched as a share: sometimes, and always where no flow waits for it")]
    forgotten: Annotated[int, says("not expected any more")]
    changed_24h: Annotated[int, says("that changed within 24 hours, other than by being learned")]
    dropped: Annotated[int, says("shares that have fallen")]
    ended_more: Annotated[int, says("flows that ended where flows used to go on")]
    disused: Annotated[int, says("still expected, and not seen to happen for a day")]
    sentence: Annotated[str, says("all of this in one")]
    notes: Annotated[list[ServiceNote], says("what is said of services, and of no flow")]


class Expectations(Answer, frozen=True, kw_only=True):
    """All that is expected, what has fallen, and what people said."""

    expectations: list[ExpectedStep]
    drops: list[Drop]
    decisions: Annotated[list[Decision], says("newest first, at most 1,000")]
    problem: Annotated[str | None, says("what is wrong with the file of declared expectations")]
    rests_on: RestsOn
    replayed: Annotated[bool, says("false for moments after a start: what is expected is not known yet")]
