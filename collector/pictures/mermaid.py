"""A flow as a Mermaid flowchart, which many forges and wikis show in their Markdown pages.

It uses only what every version of Mermaid supports: nodes with quoted labels, arrows, classes. In a label,
only letters, digits and single spaces stay as they are; everything else becomes a numeric entity (`#34;` is a
quote), so that Mermaid finds no end of a string, no directive, no HTML and no Markdown in it. One flaw
remains: Mermaid shows a backslash before an n as a line break.
"""

from collector.pictures.sketch import Document, Edge, Kind, Node, sketch

_CLASSES = (
    "classDef failed stroke:#6d0f4f,stroke-width:3px",
    "classDef missing stroke:#be340b,stroke-dasharray:6 4",
    "classDef not_seen stroke-dasharray:2 3",
)
_SHAPES = {Kind.REACTION: ("([", "])")}
_BOX = ("[", "]")


def mermaid(document: Document) -> str:
    """The flowchart of *document*. Messages are boxes, reactions have round ends."""
    drawn = sketch(document)
    lines = [_node(number, node) for number, node in enumerate(drawn.nodes)]
    lines += map(_edge, drawn.edges)
    return "\n    ".join(["flowchart TD", *_CLASSES, *lines])


def _node(number: int, node: Node) -> str:
    before, after = _SHAPES.get(node.kind, _BOX)
    label = f'"{_escaped(node.title)}<br/>{_escaped(node.detail)}"'
    style = "failed" if node.failed else str(node.kind) if node.ghost else ""
    return f"n{number}{before}{label}{after}" + (f":::{style}" if style else "")


def _edge(edge: Edge) -> str:
    return f"n{edge.source} {'-.->' if edge.dashed else '-->'} n{edge.target}"


def _escaped(text: str) -> str:
    return "".join(sign if sign.isalnum() or sign == " " else f"#{ord(sign)};" for sign in text)
