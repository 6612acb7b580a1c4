"""What did people write down as expected? Frozen values; `collector.declaring` reads them from a file."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class DeclaredReaction:
    """*service* reacts to each message of *event_type*. Unless it is *optional*, a missing one is owed."""

    event_type: str
    service: str
    group: str | None = None  # None: the group that has the service's name, or the one that is seen
    # One of these follows; empty: nothing does; None: as learned, so a deadline alone weakens nothing.
    publishes: tuple[str, ...] | None = None
    within_ms: float | None = None  # from the publish to the reaction's own publish; None: as learned
    optional: bool = False


@dataclass(frozen=True)
class DeclaredJoin:
    """*service* publishes one of *publishes* once it has taken all of *needs* in a flow."""

    service: str
    needs: tuple[str, ...]
    publishes: tuple[str, ...]
    within_ms: float | None = None  # from the first of *needs* to its publish; None: as learned


@dataclass(frozen=True)
class Responsible:
    """Who looks after a service, and where it is written what to do."""

    owner: str | None = None
    runbook: str | None = None  # an http or https address


@dataclass(frozen=True)
class Declared:
    """All that is declared. It wins over what is learned, and is in force from the first flow."""

    reactions: tuple[DeclaredReaction, ...] = ()
    joins: tuple[DeclaredJoin, ...] = ()
    ends: frozenset[str] = frozenset()  # event types that end flows: nothing is owed after them
    ignored_events: frozenset[str] = frozenset()  # nothing is expected after them, and no drop is told
    ignored_services: frozenset[str] = frozenset()  # nothing is expected of them
    services: Mapping[str, Responsible] = field(default_factory=dict)


NOTHING_DECLARED = Declared()
