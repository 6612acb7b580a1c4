"""Which spans look back at a flow and do not belong to its course?"""

from collector.model.readings import Role
from tests.reference.edges import Stitcher
from tests.reference.handlings import Ref, above

HOUR = 3_600 * 10**9


def aside(told: Stitcher) -> set[Ref]:
    """The spans that do not prolong a flow."""
    found = {ref for ref in told.spans if _answers_from_the_past(told, ref)}
    causes = {source for kind, source, _ in told.edges if kind == "cause"}
    for attempts in told.attempts:
        first = attempts[0]
        late = [ref for ref in attempts if _late(told, ref)]
        if first in late and first not in causes:
            found |= told.spans_of(first)
        # A second library's span of an attempt is part of the reaction too, and is as late as the attempt.
        parts = [ref for ref in told.spans_of(first) if ref in told.deliveries]
        well = [
            ref
            for ref in parts
            if not _late(told, ref)
            and not told.spans[ref]["failed"]
            and (ref == first or told.spans[ref]["role"] == Role.PROCESS)
        ]
        if well:
            found |= {ref for ref in parts if _late(told, ref)}
    while more := _within(told, found) | _led_to(told, found):
        found |= more
    return found


def _late(told: Stitcher, ref: Ref) -> bool:
    """Whether all messages that a consumer handled were at least an hour old."""
    messages = told.handled[ref]
    return bool(messages) and all(m in told.spans and told.after(m, ref) >= HOUR for m in messages)


def _answers_from_the_past(told: Stitcher, ref: Ref) -> bool:
    parent = told.parents.get(ref)
    if parent is None or told.spans[ref]["role"] != Role.ANSWERED:
        return False
    return told.spans[parent]["role"] in (Role.CREATE, Role.SEND) and told.after(parent, ref) >= HOUR


def _within(told: Stitcher, found: set[Ref]) -> set[Ref]:
    return {ref for ref in told.spans if ref not in found and not found.isdisjoint(above(ref, told.parents))}


def _led_to(told: Stitcher, found: set[Ref]) -> set[Ref]:
    sources: dict[Ref, set[Ref]] = {}
    for _, source, target in told.edges:
        sources.setdefault(target, set()).add(source)
    return {ref for ref, led in sources.items() if ref not in found and led <= found}
