"""What is expected, and how sure is it? Values that are shown: nothing is decided by them."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from collector.diagnosis.paces import Pace

StandingState: TypeAlias = Literal["learning", "always", "sometimes", "declared", "forgotten"]
DropKind: TypeAlias = Literal["take", "publish", "follow"]
UnpaidKind: TypeAlias = Literal["react", "succeed", "publish"]
StandingKind: TypeAlias = Literal["reaction", "event", "join", "input"]


@dataclass(frozen=True)
class Change:
    """When did an expectation change, and why?"""

    at: int  # nanoseconds since the epoch
    state: StandingState  # from then on
    text: str  # a clause, such as "taken by 30 of the last 50"
    author: str | None = None  # who said so; None if it was learned


@dataclass(frozen=True)
class Standing:
    """What is known about one thing that may be expected of a service.

    *reaction*: it takes messages of the only trigger. *event*: it publishes `event_type` after the only
    trigger. *join*: it publishes `event_type` once it has taken all triggers. *input*: once it has taken one
    of the triggers, `event_type` also comes, which it needs for a join.
    """

    kind: StandingKind
    triggers: tuple[str, ...]
    service: str
    group: str
    event_type: str | None  # None for a reaction
    state: StandingState
    share: float  # of the messages, reactions or flows in which it could happen
    n: int  # examples that the share is taken from
    needed: int  # as many examples make it known
    pace: Pace | None  # None without examples
    deadline_ms: float | None  # None where nothing is expected of a single flow
    since: int  # when it got this state, nanoseconds since the epoch
    kept: int  # when it was last seen to happen; 0 if never
    missed: int  # of the newest *recent*, in how many it did not happen
    recent: int
    disused: bool  # still expected, and not seen to happen for a day
    history: tuple[Change, ...]  # oldest first


@dataclass(frozen=True)
class Drop:
    """A share that has fallen further than chance explains.

    *take*: how many messages of `event_type` the service takes. *publish*: how many of the messages of
    `event_type` that it takes lead to `missing`. *follow*: how many messages of `event_type` are followed by
    anything; no service is named.
    """

    kind: DropKind
    event_type: str
    service: str | None
    group: str | None
    missing: str | None
    share: float  # what is normal, 0 to 1
    n: int  # examples that it is taken from
    hits: int  # of the newest *window*
    window: int
    since: int  # when the first message of the drop was published, nanoseconds since the epoch
    flows: tuple[str, ...]  # ids of flows concerned, newest first, at most 20


@dataclass(frozen=True)
class Absence:
    """A service whose spans are missing, although others react to what it publishes."""

    service: str
    since: int  # the end of its newest span, nanoseconds since the epoch
    effects: int  # how many reactions to its work were seen since


@dataclass(frozen=True)
class Unpaid:
    """What a service still owes flows that had ended, so that none of them is stuck by it.

    It did not *react* to the triggers, did not *succeed* in handling them, or did not *publish* `missing`.
    """

    kind: UnpaidKind
    service: str
    group: str
    triggers: tuple[str, ...]
    missing: str | None
    ends: tuple[str, ...]  # the event types in which the flows ended, the most frequent first
    count: int  # of flows
    since: int  # since when the first of it is owed, nanoseconds since the epoch,
    last: int  # and the last
    flows: tuple[str, ...]  # ids of flows concerned, newest first, at most 20


@dataclass(frozen=True)
class Crowd:
    """A limit that was exceeded lately: some of what there is, is not known."""

    text: str  # a sentence or two for people
    since: int  # nanoseconds since the epoch


@dataclass(frozen=True)
class Standings:
    """All of them at one moment."""

    standings: tuple[Standing, ...] = ()
    drops: tuple[Drop, ...] = ()
    absences: tuple[Absence, ...] = ()
    crowds: tuple[Crowd, ...] = ()
    unpaid: tuple[Unpaid, ...] = ()
