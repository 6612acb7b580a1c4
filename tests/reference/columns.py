"""What does the columnar code say? The same facts in the reference's types."""

import numpy as np

from collector.model.notes import NoteKind
from collector.stitching import Because, EdgeKind, Stitched
from collector.stitching.clocks import clocks
from collector.stitching.replays import find_replays
from tests.reference import Reaction, Ref, Story


def story_of(stitched: Stitched) -> Story:
    """The story of *stitched*."""
    graph, flows, edges = stitched.graph, stitched.flows, stitched.graph.edges
    refs: list[Ref] = list(
        zip(graph.spans["trace_id"].to_pylist(), graph.spans["span_id"].to_pylist(), strict=True)
    )
    spans: dict[int, set[Ref]] = {}
    for member, node in zip(*(side.tolist() for side in graph.folded), strict=True):
        spans.setdefault(node, set()).add(refs[member])
    story = Story(messages={refs[row]: spans[row] for row in graph.messages.tolist()})
    for place, row in enumerate(graph.reactions.tolist()):
        story.reactions[refs[row]] = Reaction(
            spans[row],
            int(graph.attempts[place]),
            int(graph.start[place]),
            int(graph.end[place]),
            bool(graph.failed[place]),
            **{name: int(column[place]) for name, column in vars(graph.settles).items()},
        )
    ids = graph.sources(np.arange(len(edges.source)))
    for place, source in enumerate(zip(*(side.to_pylist() for side in ids), strict=True)):
        here = int(edges.source[place])
        assert (refs[here] == source) if here >= 0 else (source not in refs)
        edge = EdgeKind(edges.kind[place]).name.lower(), source, refs[edges.target[place]]
        assert edge not in story.edges
        story.edges[edge] = Because(edges.because[place]).name.lower()
    members: list[set[Ref]] = [set() for _ in range(flows.count)]
    for row, flow in zip(flows.row.tolist(), flows.flow.tolist(), strict=True):
        members[flow].add(refs[row])
    story.flows = list(zip(flows.key, members, strict=True))
    story.notes = {
        (NoteKind(kind).name.lower(), refs[row])
        for notes in (graph.notes, flows.notes)
        for kind, row in zip(notes.kind.tolist(), notes.row.tolist(), strict=True)
    }
    story.aside = {refs[row] for row in find_replays(graph).aside.nonzero()[0].tolist()}
    story.requests = {refs[row] for row in graph.requests.tolist()}
    found = clocks(graph, np.arange(len(edges.source)))
    story.clocks = {pair: (apart.at_least, apart.at_most, apart.edges) for pair, apart in found.items()}
    return story
