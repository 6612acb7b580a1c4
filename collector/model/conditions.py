"""What may be asked of flows, and in which order are they listed?"""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

# What is measured of a flow: times and durations in nanoseconds (since the epoch, if it is a time), counts.
Measure: TypeAlias = Literal["started", "last", "took", "messages", "reactions", "wait", "work"]

# Where names are looked for. `text`: in all of them, in the id, and in trace ids, which begin with it.
# `named`: among event types and services, which are stored together. `id`: in the id, which is the key if
# there is one.
Where: TypeAlias = Literal["text", "named", "waiting", "outcome", "failures", "id"]

# What a list may be ordered by.
Sort: TypeAlias = Literal[
    "state",
    "flow",
    "waiting",
    "overdue",
    "outcome",
    "started",
    "last",
    "took",
    "share",
    "wait",
    "work",
    "event",
    "messages",
    "reactions",
]
SORTS: tuple[Sort, ...] = get_args(Sort)
TEXTS: frozenset[Sort] = frozenset({"flow", "waiting", "outcome", "event"})  # all others go by numbers


@dataclass(frozen=True)
class Name:
    """A name, or a part of one; case does not matter."""

    text: str
    begins: bool = True  # a name begins with it
    ends: bool = True

    @property
    def needle(self) -> str:
        """What to look for in names that each stand between two line breaks."""
        return f"{chr(10) if self.begins else ''}{self.text}{chr(10) if self.ends else ''}"


@dataclass(frozen=True)
class Within:
    """A measure lies between *low* and *high*, both included; None: no limit."""

    measure: Measure
    low: int | None = None
    high: int | None = None
    negated: bool = False


@dataclass(frozen=True)
class Mentions:
    """One of *names* is found."""

    where: Where
    names: tuple[Name, ...]
    negated: bool = False


@dataclass(frozen=True)
class Erred:
    """A reaction failed, whether or not it was tried again with success; or the flow is failed."""

    negated: bool = False


@dataclass(frozen=True)
class IsVariant:
    """The flow is of one of these variants; see `model.variant_ids`."""

    variants: tuple[int, ...]
    negated: bool = False


Condition: TypeAlias = Within | Mentions | Erred | IsVariant


@dataclass(frozen=True)
class Order:
    """By what a list is ordered; flows that are alike in that, the newest first."""

    by: Sort = "state"  # what is stuck or failed first
    reverse: bool = False


BY_STATE = Order()
# The place in an order by `overdue` of a flow in which nothing is.
NOT_OVERDUE = -(2**63) + 1
