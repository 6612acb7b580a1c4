"""A flow as GraphML, for programs that reckon with graphs: all that is known, nothing of how it looks.

Texts are whole, but for the signs that XML 1.0 has no way to write.
"""

import re
from collections.abc import Iterator

import networkx as nx

from collector.pictures.sketch import Document, Node, sketch

# Of an entry of the document: what a program can count, compare or look up.
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
# Nor a carriage return: XML reads a line feed for it.
_NO_XML = re.compile("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def graphml(document: Document) -> str:
    """The graph of *document*: nodes n0, n1, ... in the order of their time, each with its ref."""
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
