"""The collector's answers, as the pages know them.

Generated from `collector/model/answers/` by `make answers`: change it there. Fields that are not named here
are ignored, so a newer collector can answer an older dashboard. Times are integers, nanoseconds since the
epoch, in `*_unix_nano`; durations are milliseconds in `*_ms` or seconds in `*_s`.
"""

from msgspec import Struct


class Answer(Struct, frozen=True, kw_only=True):
    """Base of all answers: frozen, because one answer is given to many readers."""


class Note(Answer, frozen=True, kw_only=True):
    """A repair or a doubt."""

    kind: str
    ref: str | None
    text: str


class Error(Answer, frozen=True, kw_only=True):
    """What was wrong, what was expected, what to do."""

    error: str
    nearest: list[str] = []


class Changed(Answer, frozen=True, kw_only=True):
    """When an expectation changed, and why."""

    time_unix_nano: int
    state: str
    change: str
    by: str
    author: str | None
    reason: str | None


class ExpectedStep(Answer, frozen=True, kw_only=True):
    """One thing that is, was or may come to be expected of a service."""

    kind: str
    event_type: str
    triggers: list[str]
    service: str
    group: str
    publishes: list[str]
    needs: str | None
    state: str
    said: str
    why: str
    source: str
    share: float
    n: int
    needed: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    deadline_ms: float | None
    since_unix_nano: int
    kept_unix_nano: int | None
    missed: int
    recent: int
    disused: bool
    owner: str | None
    runbook: str | None
    history: list[Changed]


class Drop(Answer, frozen=True, kw_only=True):
    """A share that has fallen further than chance explains."""

    kind: str
    event_type: str
    service: str | None
    group: str | None
    missing: str | None
    share: float
    n: int
    hits: int
    window: int
    since_unix_nano: int
    flows: list[str]
    sentence: str


class Decision(Answer, frozen=True, kw_only=True):
    """What a person said about all that is expected of a service after an event type."""

    time_unix_nano: int
    word: str
    event_type: str
    service: str
    author: str
    reason: str


class ServiceNote(Answer, frozen=True, kw_only=True):
    """What is said of a service and of no flow.

    Its spans are missing although their effects are seen; it owes something to flows that had ended
    (`ended_flows_owed`); or a limit leaves it out (`crowded`).
    """

    kind: str
    service: str
    since_unix_nano: int
    text: str
    flows: list[str]


class RestsOn(Answer, frozen=True, kw_only=True):
    """What it rests on if nothing is called stuck: counts of `ExpectedStep` and of `Drop`."""

    expected: int
    learning: int
    sometimes: int
    forgotten: int
    changed_24h: int
    dropped: int
    ended_more: int
    disused: int
    sentence: str
    notes: list[ServiceNote]


class Expectations(Answer, frozen=True, kw_only=True):
    """All that is expected, what has fallen, and what people said."""

    expectations: list[ExpectedStep]
    drops: list[Drop]
    decisions: list[Decision]
    problem: str | None
    rests_on: RestsOn
    replayed: bool
