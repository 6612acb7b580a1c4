"""What does a broker or library family do in its own way? The form that `families` fill in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from collector.model.readings import Role, Settled
from collector.model.spans import Kind

Names = Mapping[str, Sequence[str]]  # by column: its attribute's names, most trusted first


@dataclass(frozen=True, kw_only=True)
class Lore:
    """The lore of one family: only what it does differently from the others."""

    # Columns: operation, verb, system, template, destination, group, event_type, settled, temporary (words);
    # message_id, event_id, deliveries, kept_in, error_type, and what `identities` puts together (values).
    attributes: Names = field(default_factory=dict)
    last_resorts: Names = field(default_factory=dict)  # trusted less than the `attributes` of any family
    operations: Mapping[str, Role] = field(default_factory=dict)  # what its operations do with messages
    # (systems in lower case, attributes): where else its event types are, in attributes which mean other
    # things to others.
    event_types_of: tuple[Sequence[str], Sequence[str]] = ((), ())
    settles: Mapping[str, Settled] = field(default_factory=dict)  # how its verbs settle a message
    keeps: Sequence[str] = ()  # verbs that only keep a message longer: neither a handling nor a settle
    # Names of its systems, in lower case, if several hand on each other's messages under one id, or if they
    # are spelled in different ways.
    systems: Sequence[str] = ()
    # These apply to its own system only, as named by `messaging.system`.
    system: str = ""
    # By `messaging.operation.name`, which says more than the operation's type.
    verbs: Mapping[str, Role] = field(default_factory=dict)
    # (pattern, role): what a span does by its whole name, in lower case, whatever operation it names. These
    # apply to its own system only if it has one.
    names: Sequence[tuple[str, Role]] = ()
    delivers_once: bool = False  # it does not redeliver, unless the span has the column `kept_in`
    # By the last part of a producer span's name.
    producer_names: Mapping[str, Role] = field(default_factory=dict)
    # From a role that a span of that kind cannot have to the role that is meant.
    corrections: Mapping[tuple[Role, Kind], Role] = field(default_factory=dict)
    # Prefixes of destinations.
    inboxes: Sequence[str] = ()  # replies go there; they are part of a request's exchange
    # Queues that a broker or a client named: who publishes there replies, who reads there may subscribe.
    own_queues: Sequence[str] = ()
    settle_subjects: Sequence[str] = ()  # settles go there
    broker_subjects: Sequence[str] = ()  # the broker itself is addressed there
    # Patterns of settle subjects; the group `n` is the delivery number.
    deliveries_in: Sequence[str] = ()
    # (pattern, replacement): removes from an event type what is not part of it.
    event_types: Sequence[tuple[str, str]] = ()
    # The same for what it generates, in `*`: what is lost may tell messages apart, so it is a note.
    generated: Sequence[tuple[str, str]] = ()
