"""How were the messages of a reaction settled? Read one span at a time."""

from collections import Counter

from collector.model.readings import Role, Settled
from tests.reference.edges import Stitcher
from tests.reference.handlings import ROOT, Ref


def settles_of(told: Stitcher, reaction: Ref) -> dict[str, int]:
    """How the messages of *reaction* were settled, how often, and how often they had been delivered."""
    # The announcement of its start says nothing about its end.
    members = [ref for ref in told.spans_of(reaction) if told.role(ref) is not Role.STARTED]
    own = Counter(told.spans[ref]["settled"] for ref in members)
    own[Settled.UNSAID] = 0
    outer = [ref for ref in told.spans if _outermost(told, ref) == ref and reaction in _settled(told, ref)]
    by_settles = Counter(max(told.spans[one]["settled"] for one in _repeats(told, ref)) for ref in outer)
    ways = {way.name.lower(): max(own[way], by_settles[way]) for way in Settled if way != Settled.UNSAID}
    said = [told.spans[ref]["deliveries"] for ref in members]
    said += [told.spans[one]["deliveries"] for ref in outer for one in _repeats(told, ref)]
    return {
        "settled": max(by_settles.total(), sum(ways.values())),
        **ways,
        "deliveries": max(said, default=0),
    }


def _outermost(told: Stitcher, ref: Ref) -> Ref | None:
    """The outermost settle that *ref* repeats, or *ref* itself; None if *ref* is no settle."""
    if told.role(ref) is not Role.SETTLE:
        return None
    above = told.local_parent(ref)
    return (above and _outermost(told, above)) or ref


def _repeats(told: Stitcher, settle: Ref) -> list[Ref]:
    return [ref for ref in told.spans if _outermost(told, ref) == settle]


def _settled(told: Stitcher, settle: Ref) -> set[Ref]:
    """The reactions whose messages a settle span settles."""
    service, parent = told.spans[settle]["service"], told.parents.get(settle)

    def of_message(message: Ref) -> set[Ref]:
        found = {
            told.reaction_of[consumer]
            for consumer, deliveries in told.deliveries.items()
            if told.spans[consumer]["service"] == service and any(d.message == message for d in deliveries)
        }
        return found if len(found) == 1 else set()

    def around(ref: Ref | None) -> set[Ref]:
        consumer = told.consumer_around.get(ref) if ref is not None else None
        found = {told.reaction_of[consumer]} if consumer is not None else set()
        return {one for one in found if told.spans[one]["service"] == service}

    linked: set[Ref] = set()
    for target in told.links[settle]:
        message = told.message_of(target) if target in told.spans else target
        linked |= of_message(message) if message is not None else around(target)
    if linked:
        return linked
    message = told.message_of(parent)
    if parent is None and told.spans[settle]["parent_span_id"] != ROOT:
        lost = (settle[0], told.spans[settle]["parent_span_id"])
        message = lost if lost not in told.spans else None
    return around(parent) or (of_message(message) if message is not None else set())
