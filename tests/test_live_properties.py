"""Does the live part hold the flows that stitching makes of all spans at once, however they arrive?"""

import json
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.diagnosis import Demands, Habits, Learner, Names
from collector.live.chunk import identifiers_of
from collector.live.memory import Memory
from collector.queries.causal_graph import refs_of
from collector.stitching import Keying, Stitched, stitch
from tests.documents import document
from tests.strategies import Row, believed, examples, ref, span_sets, table

EXAMPLES = settings(max_examples=examples(40), suppress_health_check=[HealthCheck.too_slow])


def flows_of(stitched: Stitched, flows: Sequence[int]) -> dict[str, str]:
    """The document of each of *flows*, by the ref of its first span."""
    spans = stitched.graph.spans
    refs = refs_of(spans["trace_id"], spans["span_id"])
    names = [refs[row] for row in stitched.flows.first.tolist()]
    found = {names[flow]: document(stitched, only=flow, flow_ids=names) for flow in flows}
    return {name: json.dumps(told) for name, told in found.items()}


def lived(pieces: Sequence[Sequence[Row]], keying: Keying) -> dict[str, str]:
    """What the live part holds in the end, if *pieces* arrive one after another."""
    memory = Memory(Demands(Learner(Names(), Habits()).expected()), keying)
    for piece in pieces:
        rows = table(piece)
        if rows.num_rows:
            chunk, _ = memory.add(rows, identifiers_of(rows)[0], None, 10**18)
            if chunk is not None:
                memory.refuse(chunk.stitched.flows.refused)
    found: dict[str, str] = {}
    for chunk in memory.chunks:
        flows = flows_of(chunk.stitched, chunk.alive.nonzero()[0].tolist())
        assert not found.keys() & flows
        found |= flows
    return found


@EXAMPLES
@given(span_sets, believed, st.randoms(use_true_random=False))
def test_live_part_holds_what_stitching_makes_of_all_at_once(
    rows: list[Row], keying: Keying, random: Random
) -> None:
    # Two contents of one id become one span only where both are seen at once.
    rows = list({ref(row): row for row in rows}.values())
    random.shuffle(rows)
    cuts = sorted(random.sample(range(len(rows) + 1), min(random.randint(0, 4), len(rows) + 1)))
    pieces = [rows[start:end] for start, end in zip([0, *cuts], [*cuts, len(rows)], strict=True)]

    stitched = stitch(table(rows), keying)
    known = replace(keying, refused=keying.refused | set(stitched.flows.refused))
    told = stitch(table(rows), known)
    assert lived(pieces, keying) == flows_of(told, range(told.flows.count))
