"""What a broker or a library family says in its own way: the form in which `families` write it down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from collector.model.readings import Role, Settled
from collector.model.spans import Kind

Names = Mapping[str, Sequence[str]]  # by column: what its attribute is called, most trusted first


@dataclass(frozen=True, kw_only=True)
class Lore:
    """The lore of one family. What a family does as everybody does, it leaves out."""

    # Columns: operation, verb, system, template, destination, group, event_type, settled (words);
    # message_id, event_id, deliveries, kept_in (values).
    attributes: Names = field(default_factory=dict)
    last_resorts: Names = field(default_factory=dict)  # trusted less than the `attributes` of any family
    operations: Mapping[str, Role] = field(default_factory=dict)  # what its operations do with messages
    settles: Mapping[str, Settled] = field(default_factory=dict)  # how its verbs settle a message
    # Of its own system only.
    system: str = ""  # as `messaging.system` has it
    verbs: Mapping[str, Role] = field(
        default_factory=dict
    )  # `messaging.operation.name`: says more than the type
    delivers_once: bool = False  # it does not redeliver, except what the column `kept_in` says is kept
    # By the name of a span, or what kind of span it is.
    producer_names: Mapping[str, Role] = field(default_factory=dict)  # the last part of a producer's name
    corrections: Mapping[tuple[Role, Kind], Role] = field(
        default_factory=dict
    )  # a role that a kind cannot have
    # Beginnings of destinations.
    inboxes: Sequence[str] = ()  # answers go there: they are part of a request's exchange
    settle_subjects: Sequence[str] = ()  # settles go there
    broker_subjects: Sequence[str] = ()  # the broker itself is spoken to there
    deliveries_in: Sequence[
        str
    ] = ()  # patterns of settle subjects; the group n is the number of the delivery
    event_types: Sequence[
        tuple[str, str]
    ] = ()  # pattern, replacement: takes from a type what is no part of it
