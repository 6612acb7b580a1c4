"""A flow in DOT, the language of Graphviz, for users who want to lay it out or style it themselves.

Labels are quoted strings. Quotes and backslashes are escaped in them; an unescaped backslash in a name could
become a line break, or the name of the graph. Graphviz also reads HTML entities there, so an ampersand is
written as one.
"""

from collector.pictures.sketch import Document, Edge, Kind, Node, sketch

_HEAD = (
    'node [fontname="sans-serif" fontsize=11 shape=box color="#9aa6b4"]',
    'edge [color="#9aa6b4" arrowsize=0.7]',
)
_STYLES = {
    Kind.MESSAGE: "",
    Kind.REACTION: " style=rounded",
    Kind.NOT_SEEN: " style=dotted",
    Kind.MISSING: ' style=dashed color="#be340b"',
}
_FAILED = ' color="#6d0f4f" peripheries=2'
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "&": "&amp;"})


def dot(document: Document) -> str:
    """The graph of *document*. Messages are boxes, reactions rounded ones; failed ones have two outlines."""
    drawn = sketch(document)
    lines = [_node(number, node) for number, node in enumerate(drawn.nodes)]
    lines += map(_edge, drawn.edges)
    return "\n".join(["digraph flow {", *(f"    {line};" for line in (*_HEAD, *lines)), "}"])


def _node(number: int, node: Node) -> str:
    label = rf'"{_escaped(node.title)}\n{_escaped(node.detail)}"'
    return f"n{number} [label={label}{_STYLES[node.kind]}{_FAILED if node.failed else ''}]"


def _edge(edge: Edge) -> str:
    return f"n{edge.source} -> n{edge.target}" + (" [style=dashed]" if edge.dashed else "")


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES)
