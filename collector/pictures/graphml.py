"""A flow as GraphML, for programs that analyze graphs: everything that is known, and nothing about its looks.

Texts are complete, except for characters that XML 1.0 cannot express.
"""

import re
from collections.abc import Iterator

import networkx as nx

from collector.pictures.sketch import Document, Node, sketch

# The fields of an entry that a program can count, compare or look up.
_FIELDS = (
    "event_type",
    "destination",
    "service",
    "group",
    "next_event_type",
    "attempts",
    "status",
    "time_unix_nano",
    "start_unix_nano",
    "end_unix_nano",
)
# This includes the carriage return, which XML reads as a line feed.
_NO_XML = re.compile("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def graphml(document: Document) -> str:
    """The graph of *document*: nodes n0, n1, ... in order of time, each with its ref."""
    drawn = sketch(document)
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    for number, node in enumerate(drawn.nodes):
        graph.add_node(f"n{number}", **dict(_said(node)))
    for edge in drawn.edges:
        said = {"kind": edge.kind, "because": _written(edge.because), "certainty": edge.certainty}
        graph.add_edge(f"n{edge.source}", f"n{edge.target}", **said)
    return "\n".join(nx.generate_graphml(graph))


def _said(node: Node) -> Iterator[tuple[str, str | int]]:
    yield "kind", str(node.kind)
    yield "label", f"{node.title}, {node.detail}"
    if node.ref is not None:
        yield "ref", node.ref
    for name in _FIELDS:
        found = node.item.get(name)
        if found is not None:
            yield name, _written(found) if isinstance(found, str) else int(found)


def _written(text: str) -> str:
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
