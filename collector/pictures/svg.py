"""A flow as a self-contained picture: SVG without scripts, style sheets or anything loaded from elsewhere.

It looks like the dashboard in its light theme: cards with a stripe in the colour of their service, pills for
reactions, dashed outlines for what is missing. xml.etree writes it, so text stays text.
"""

from collections.abc import Sequence
from itertools import pairwise
from xml.etree.ElementTree import Element, SubElement, tostring

from collector.pictures.placing import HEIGHT, WIDTH, Point, layout
from collector.pictures.sketch import Document, Edge, Kind, Node, plain, sketch

_CANVAS, _CARD, _TEXT, _MUTED = "#f6f7f9", "#ffffff", "#161c24", "#5b6673"
_LINE, _EDGE, _STUCK, _FAILED = "#d9dee5", "#9aa6b4", "#be340b", "#6d0f4f"
# In order of first appearance. Beyond twelve they repeat, and the name makes the difference.
_SERVICES = (
    *("#4477AA", "#228833", "#B8508F", "#0E8A8A", "#8C6BB1", "#B07C1E"),
    *("#5B8DB8", "#7A8F2A", "#C0504D", "#7070BD", "#3F7F6F", "#9D5C7E"),
)
_PADDING, _HEAD, _BULGE = 20.0, 30.0, 32.0  # _BULGE: how far edges that run back bulge out
_FITS = 28  # characters of a title; the card clips wide ones


def svg(document: Document) -> str:
    """The picture of *document*."""
    drawn = sketch(document)
    placed = layout(len(drawn.nodes), [(edge.source, edge.target) for edge in drawn.edges])
    lean = _BULGE if placed.backward else 0.0
    width = max(placed.width + lean, 2 * WIDTH) + 2 * _PADDING
    height = placed.height + 2 * _PADDING + _HEAD
    picture = _picture(width, height)
    _add_text(picture, "title", drawn.headline)
    _add(picture, "rect", width=width, height=height, fill=_CANVAS)
    head = _add(picture, "text", x=_PADDING, y=_PADDING + 12, fill=_TEXT, font_size=15, font_weight=600)
    head.text = drawn.headline
    scene = _add(picture, "g", transform=f"translate({_PADDING:g} {_PADDING + _HEAD:g})")
    for number, (edge, route) in enumerate(zip(drawn.edges, placed.routes, strict=True)):
        _draw_edge(scene, edge, route, back=number in placed.backward)
    stripes = _stripes(drawn.nodes)
    for node, place in zip(drawn.nodes, placed.places, strict=True):
        _draw_card(scene, node, place, stripes.get(node.service, _MUTED))
    return tostring(picture, encoding="unicode")


def _picture(width: float, height: float) -> Element:
    root = Element("svg", xmlns="http://www.w3.org/2000/svg", role="img")
    root.set("font-family", "Inter, system-ui, sans-serif")
    for name, value in (("width", width), ("height", height)):
        root.set(name, f"{value:g}")
    root.set("viewBox", f"0 0 {width:g} {height:g}")
    return root


def _stripes(nodes: Sequence[Node]) -> dict[str | None, str]:
    services = dict.fromkeys(node.service for node in nodes if node.service is not None)
    return {name: _SERVICES[number % len(_SERVICES)] for number, name in enumerate(services)}


def _draw_card(scene: Element, node: Node, place: Point, stripe: str) -> None:
    # A nested picture clips what is too wide for it.
    card = _add(scene, "svg", x=place[0], y=place[1], width=WIDTH, height=HEIGHT)
    _add_text(card, "title", f"{node.title}, {node.detail}")
    _draw_outline(card, node)
    if not node.ghost:
        left = 6 if node.kind is Kind.MESSAGE else 14
        _add(card, "rect", x=left, y=8, width=4, height=HEIGHT - 16, rx=2, fill=stripe)
    left = 18 if node.kind is Kind.MESSAGE else 26
    colour = _STUCK if node.kind is Kind.MISSING else _MUTED if node.ghost else _TEXT
    _add_text(
        card, "text", plain(node.title, _FITS), x=left, y=17, fill=colour, font_size=12.3, font_weight=600
    )
    colour = _FAILED if node.failed else _STUCK if node.kind is Kind.MISSING else _MUTED
    _add_text(card, "text", plain(node.detail, _FITS + 4), x=left, y=31, fill=colour, font_size=10.6)


def _draw_outline(card: Element, node: Node) -> None:
    radius = 19 if node.kind is Kind.REACTION else 8
    size = {"x": 0.5, "y": 0.5, "width": WIDTH - 1, "height": HEIGHT - 1, "rx": radius}
    match node.kind:
        case Kind.MISSING:
            # Opaque underneath, because edges pass under cards.
            _add(card, "rect", **size, fill=_CARD)
            _add(card, "rect", **size, fill=_STUCK, fill_opacity=0.06, stroke=_STUCK, stroke_dasharray="6 4")
        case Kind.NOT_SEEN:
            _add(card, "rect", **size, fill=_CANVAS, stroke=_EDGE, stroke_dasharray="2 3")
        case _:
            _add(card, "rect", **size, fill=_CARD, stroke=_FAILED if node.failed else _LINE)
    if node.failed:
        within = {"x": 3, "y": 3, "width": WIDTH - 6, "height": HEIGHT - 6, "rx": radius - 2}
        _add(card, "rect", **within, fill="none", stroke=_FAILED)


def _draw_edge(scene: Element, edge: Edge, route: Sequence[Point], *, back: bool) -> None:
    colour = _STUCK if edge.kind == "missing" else _EDGE
    way = _backwards(route) if back else _downwards(route)
    line = _add(scene, "path", d=way, fill="none", stroke=colour, stroke_width=1.4)
    if edge.dashed:
        line.set("stroke-dasharray", "5 4")
    x, y = route[-1]
    tip = f"M{x + 6:.1f} {y - 3.5:.1f}V{y + 3.5:.1f}L{x:.1f} {y:.1f}Z"
    if not back:
        tip = f"M{x - 3.5:.1f} {y - 6:.1f}H{x + 3.5:.1f}L{x:.1f} {y:.1f}Z"
    _add(scene, "path", d=tip, fill=colour)


def _downwards(route: Sequence[Point]) -> str:
    """Curves from row to row, and straight lines through the rows that are passed."""
    way = f"M{route[0][0]:.1f} {route[0][1]:.1f}"
    for (x, y), (to_x, to_y) in pairwise(route):
        half = (y + to_y) / 2
        way += f"C{x:.1f} {half:.1f} {to_x:.1f} {half:.1f} {to_x:.1f} {to_y:.1f}"
    return way


def _backwards(route: Sequence[Point]) -> str:
    (x, y), (to_x, to_y) = route
    if (x, y) == (to_x, to_y):  # a loop
        y, to_y = y - 8, to_y + 8
    out = max(x, to_x) + _BULGE
    return f"M{x:.1f} {y:.1f}C{out:.1f} {y:.1f} {out:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"


def _add(parent: Element, tag: str, **said: str | float) -> Element:
    written = {
        name.replace("_", "-"): f"{value:g}" if not isinstance(value, str) else value
        for name, value in said.items()
    }
    return SubElement(parent, tag, written)


def _add_text(parent: Element, tag: str, text: str, **said: str | float) -> None:
    _add(parent, tag, **said).text = text
