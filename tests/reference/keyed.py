"""What caused a message whose only clue is its flow key?"""

from collections.abc import Sequence

import networkx as nx

from tests.reference.edges import Stitcher
from tests.reference.handlings import ROOT, Ref

HOUR = 3_600 * 10**9


def causes_by_key(
    told: Stitcher, flows: Sequence[tuple[str | None, set[Ref]]]
) -> dict[tuple[str, Ref, Ref], str]:
    """Cause edges to messages that begin with a key, from the last reaction of their service in that flow."""
    found = {}
    fruitful = {source for kind, source, _ in told.edges if kind == "cause"}
    reactions = {attempts[0] for attempts in told.attempts}

    def when(ref: Ref) -> tuple[int, int]:
        return told.spans[ref]["start"], told.rank[ref]

    for message in filter(lambda message: _begins_with_a_key(told, message), told.messages):
        row = told.spans[message]
        for _, spans in flows:
            before = [
                ref
                for ref in reactions & spans
                if told.spans[ref]["service"] == row["service"] and told.spans[ref]["start"] <= row["start"]
            ]
            last = max(before, key=when, default=None)
            if message not in spans or last is None or last in fruitful or last[0] == message[0]:
                continue
            if told.after(last, message) < HOUR:
                found["cause", last, message] = "flow_key"
    paths = nx.DiGraph((source, target) for _, source, target in [*told.edges, *found])
    circles = list(nx.strongly_connected_components(paths))
    return {edge: found[edge] for edge in found if not any({*edge[1:]} <= circle for circle in circles)}


def _begins_with_a_key(told: Stitcher, message: Ref) -> bool:
    row = told.spans[message]
    caused = any(kind == "cause" and target == message for kind, _, target in told.edges)
    names_a_cause = any(told.spans[ref]["causation"] is not None for ref in told.messages[message])
    keyed = row["flow_key"] is not None and row["flow_key"] not in told.shared_keys
    begins = row["parent_span_id"] == ROOT and not row["link_trace_ids"]
    return begins and keyed and not caused and not names_a_cause
