"""Is a flow's picture for other programs complete, and safe whatever names contain?"""

import io
import os
import re
import shutil
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import networkx as nx
import pydot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector import conventions
from collector.formats.otlp import Body, Encoding, decode
from collector.pictures import PICTURES, dot, graphml, mermaid, svg
from collector.pictures.placing import HEIGHT, WIDTH, layout
from collector.pictures.sketch import Kind, plain, sketch
from collector.stitching import stitch
from tests import strategies
from tests.documents import document
from tests.telling import consume, publish, react, tell

Document = dict[str, Any]

RECORDED = Path(__file__).parent / "recorded"
SVG = "{http://www.w3.org/2000/svg}"
TRAPS = [
    '"]; n0 --> n1; click n0 "https://evil.example"',
    "\\",
    '\\"',
    "\\N\\G\\l\\n",
    "</text><script>alert(1)</script>",
    "%%{init: {'theme': 'dark'}}%%",
    "&lt;b&gt; &#34; #quot; #34;",
    "a\nb\r\nc\td\x00\x1b[31m\x9b\u2028\u202e",
    "\ufffe\uffff",
    "`**bold**` _x_ [link](https://evil.example) 1. list",
    "end",
    "]]>--><!--",
    " \u00a0 ",
    "x" * 5_000,
    "żółw 注文 🐢",
]


def drawn(event: str = "OrderPlaced", service: str = "order", group: str = "packing") -> Document:
    """One of each: a failed reaction, an inferred edge, a message not seen, and one that is owed."""
    placed = publish("placed", said={"cloudevents.event_type": "Placed"}, service=service, key=event)
    again = react("again", placed, at=30, service="packing", group=group, error="no")
    first = react("first", placed, at=10, service="packing", group=group, error="no")
    packed = publish("packed", parent=again, at=31, service="packing")
    lost = publish("lost")
    both = consume("both", packed, lost, at=40)
    # Whatever is called so in the end: stitching leaves ids out of names, and passes over what says nothing.
    found = renamed(tell(placed, first, again, packed, both).document, "Placed", event)
    next(edge for edge in found["edges"] if edge["kind"] == "cause")["certainty"] = "inferred"
    missing = {"service": service, "group": group, "next_event_type": event}
    finding = {"stopped_at": {"ref": packed.ref}, "missing": missing, "cause": "consumer_down"}
    return {**found, "findings": [finding]}


def renamed(document: Any, former: str, name: str) -> Any:
    """*document* with *name* in place of each text that is *former*."""
    if isinstance(document, dict):
        return {key: renamed(value, former, name) for key, value in document.items()}
    if isinstance(document, list):
        return [renamed(value, former, name) for value in document]
    return name if document == former else document


def shop() -> Document:
    """What a real shop sent: several flows, batches included."""
    bodies = [Body(file.read_bytes(), Encoding.PROTOBUF) for file in sorted(RECORDED.glob("*.binpb"))]
    return document(stitch(conventions.read(decode(bodies, 0).spans)))


def chance(rows: list[strategies.Row]) -> Document:
    """Spans that point at anything: cycles, themselves, missing spans."""
    return document(stitch(strategies.table(rows)))


# What is drawn


def test_everything_of_a_flow_is_drawn_and_what_is_missing_as_well() -> None:
    sketched = sketch(drawn())

    assert [(node.kind, node.title, node.detail) for node in sketched.nodes] == [
        (Kind.MESSAGE, "OrderPlaced", "by order"),
        (Kind.REACTION, "packing", "2 attempts, failed, 21 ms"),
        (Kind.MESSAGE, "orders", "by packing"),
        (Kind.REACTION, "both", "1 ms"),
        (Kind.NOT_SEEN, "not seen", sketched.nodes[4].detail),
        (Kind.MISSING, "? OrderPlaced", "missing from order"),
    ]
    edges = {(edge.source, edge.target, edge.kind, edge.dashed) for edge in sketched.edges}
    assert edges == {
        (0, 1, "delivery", False),
        (1, 2, "cause", True),
        (2, 3, "delivery", False),
        (4, 3, "delivery", True),
        (2, 5, "missing", True),
    }


def test_a_debt_of_which_no_event_is_known_names_who_owes_it() -> None:
    document = drawn()
    document["findings"][0]["missing"]["next_event_type"] = None
    document["findings"][0]["stopped_at"]["ref"] = "aa:bb"
    *_, not_seen, missing = sketch(document).nodes

    assert (not_seen.detail, missing.title, missing.detail) == ("span bb", "? order", "missing")


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\nb\x1b", "a\ufffdb\ufffd"), (" a  b ", "a b"), ("", "?"), (None, "?"), ("x" * 81, "x" * 79 + "…")],
)
def test_texts_are_one_line_of_visible_signs(text: str | None, shown: str) -> None:
    assert plain(text) == shown


@pytest.mark.parametrize("picture", PICTURES.values(), ids=list(PICTURES))
def test_a_document_without_anything_is_an_empty_picture(picture: Callable[[Document], str]) -> None:
    """A flow whose spans are gone, or a file without any: no error, and nothing that looks like a flow."""
    assert "n0" not in picture(tell().document)


# Mermaid

LABEL = r'"(?:[^\W_]| |#\d+;)+<br/>(?:[^\W_]| |#\d+;)+"'
LINE = re.compile(
    r"flowchart TD"
    r"|    classDef (?:failed|missing|not_seen) [a-z0-9#:, -]+"
    rf"|    n\d+(?:\[{LABEL}\]|\(\[{LABEL}\]\))(?::::(?:failed|missing|not_seen))?"
    r"|    n\d+ (?:-->|-\.->) n\d+"
)


@pytest.mark.parametrize("trap", TRAPS)
def test_every_line_of_a_flowchart_is_of_a_few_plain_forms(trap: str) -> None:
    """Whatever a name contains, none of its quotes, brackets or directives reaches Mermaid."""
    lines = mermaid(drawn(trap, trap, trap)).split("\n")

    assert [line for line in lines if not LINE.fullmatch(line)] == []
    assert max(map(len, lines)) < 1_500


@given(st.text(max_size=200))
def test_no_name_leaves_the_plain_forms(name: str) -> None:
    lines = mermaid(drawn_with(name)).split("\n")

    assert [line for line in lines if not LINE.fullmatch(line)] == []


def drawn_with(name: str) -> Document:
    """A document with a raw *name* that no span should be able to cause, in case one finds a way."""
    document = drawn()
    document["messages"][0] |= {"event_type": name, "service": name}
    document["reactions"][0] |= {"group": name, "service": name}
    return document


def test_a_flowchart_says_what_is_where() -> None:
    lines = [line.strip() for line in mermaid(drawn()).split("\n")]

    assert 'n0["OrderPlaced<br/>by order"]' in lines
    assert 'n1(["packing<br/>2 attempts#44; failed#44; 21 ms"]):::failed' in lines
    assert 'n5["#63; OrderPlaced<br/>missing from order"]:::missing' in lines
    assert {"n0 --> n1", "n1 -.-> n2", "n2 --> n3", "n4 -.-> n3", "n2 -.-> n5"} <= set(lines)


# DOT


def parsed(text: str) -> tuple[dict[str, dict[str, str]], list[tuple[str, str, bool]]]:
    """Nodes and edges, as a strict parser of DOT reads them."""
    with warnings.catch_warnings():
        # pydot calls its own parser library by deprecated names.
        warnings.simplefilter("ignore", DeprecationWarning)
        graphs = pydot.graph_from_dot_data(text)
    assert graphs is not None
    (graph,) = graphs
    nodes = {node.get_name(): node.get_attributes() for node in graph.get_nodes()}
    edges = [
        (str(e.get_source()), str(e.get_destination()), e.get("style") == "dashed") for e in graph.get_edges()
    ]
    return {name: said for name, said in nodes.items() if name not in {"node", "edge"}}, edges


def unquoted(label: str) -> str:
    """What Graphviz shows for a label."""
    assert label[0] == label[-1] == '"'
    signs = {r"\\": "\\", r"\"": '"', r"\n": "\n", "&amp;": "&"}
    return re.sub(r"\\.|&amp;", lambda found: signs[found[0]], label[1:-1])


@pytest.mark.parametrize("trap", ["OrderPlaced", *TRAPS])
def test_a_parser_of_dot_reads_the_names_as_they_are(trap: str) -> None:
    nodes, edges = parsed(dot(drawn(trap, trap)))

    assert list(nodes) == [f"n{number}" for number in range(6)]
    assert unquoted(nodes["n0"]["label"]) == f"{plain(trap)}\nby {plain(trap)}"
    assert unquoted(nodes["n5"]["label"]) == f"? {plain(trap)}\nmissing from {plain(trap)}"
    assert set(edges) == {
        *(("n0", "n1", False), ("n1", "n2", True), ("n2", "n3", False)),
        *(("n4", "n3", True), ("n2", "n5", True)),
    }
    assert (nodes["n1"]["peripheries"], nodes["n5"]["style"]) == ("2", "dashed")


@pytest.mark.skipif(
    shutil.which("dot") is None and "CI" not in os.environ, reason="Graphviz is not installed"
)
@pytest.mark.parametrize("trap", TRAPS)
def test_graphviz_itself_shows_the_names_as_they_are(trap: str) -> None:
    picture = subprocess.run(
        ["dot", "-Tsvg"], input=dot(drawn(trap)).encode(), capture_output=True, check=True
    )
    texts = [text.text for text in ElementTree.fromstring(picture.stdout).iter(f"{SVG}text")]

    assert picture.stderr == b""
    assert plain(trap).replace(" ", "\u00a0") in [str(text).replace(" ", "\u00a0") for text in texts]


# GraphML


@pytest.mark.parametrize("trap", TRAPS)
def test_graphml_is_read_again_with_all_that_is_known(trap: str) -> None:
    """Names are complete, except for what XML cannot hold; times keep their nanoseconds."""
    document = drawn(trap)
    graph = nx.read_graphml(io.BytesIO(graphml(document).encode()))
    allowed = re.sub("[\x00-\x08\x0b-\x1f\ufffe\uffff]", "\ufffd", trap)

    (message,) = (item for item in document["messages"] if item["service"] == "order")
    assert graph.nodes["n0"] == {
        "kind": "message",
        "label": f"{plain(trap)}, by order",
        "ref": message["ref"],
        "event_type": allowed,
        "destination": "orders",
        "service": "order",
        "time_unix_nano": message["time_unix_nano"],
    }
    assert (graph.nodes["n1"]["attempts"], graph.nodes["n1"]["status"]) == (2, "error")
    assert (graph.nodes["n4"]["kind"], graph.nodes["n5"]["kind"]) == ("not_seen", "missing")
    said = {(start, end): data for start, end, data in graph.edges(data=True)}
    assert {name: said["n1", "n2"][name] for name in ("kind", "because", "certainty")} == {
        "kind": "cause",
        "because": "parent",
        "certainty": "inferred",
    }
    assert said["n2", "n5"]["kind"] == "missing"


# SVG


def cards(picture: str) -> list[tuple[float, float, list[str]]]:
    """The place of each card in a picture, and its texts: the full name first."""
    root = ElementTree.fromstring(picture)
    return [
        (float(card.get("x", "")), float(card.get("y", "")), [str(part.text) for part in card if part.text])
        for card in root.iter(f"{SVG}svg")
        if card is not root
    ]


def assert_apart(places: list[tuple[float, float]]) -> None:
    for number, (x, y) in enumerate(places):
        for to_x, to_y in places[:number]:
            assert abs(x - to_x) >= WIDTH or abs(y - to_y) >= HEIGHT


@pytest.mark.parametrize("trap", TRAPS)
def test_a_picture_has_every_name_as_text(trap: str) -> None:
    picture = svg(drawn(trap, trap))
    texts = cards(picture)

    assert texts[0][2][0] == f"{plain(trap)}, by {plain(trap)}"
    assert texts[0][2][1] == plain(trap, 28)
    assert len(texts) == 6
    tags = {element.tag.removeprefix(SVG) for element in ElementTree.fromstring(picture).iter()}
    assert tags == {"svg", "g", "rect", "path", "text", "title"}


def test_a_picture_asks_for_nothing_from_elsewhere() -> None:
    """Mails and wikis open it: it has no script, and no address but its own XML namespace."""
    for element in ElementTree.fromstring(svg(drawn())).iter():
        said = " ".join(element.attrib.values())
        assert not any(name.startswith("on") or "href" in name for name in element.attrib)
        assert "url(" not in said
        assert "//" not in said


def test_every_message_of_a_real_shop_is_in_the_picture() -> None:
    document = shop()
    found = cards(svg(document))
    names = [name for _, _, (name, *_) in found]

    for message in document["messages"]:
        assert f"{message['event_type']}, by {message['service']}" in names
    assert len(found) == len(document["messages"]) + len(document["reactions"])
    assert_apart([(x, y) for x, y, _ in found])


@settings(max_examples=25)  # the parser of DOT is slow
@given(strategies.span_sets)
def test_whatever_spans_point_at_is_drawn(rows: list[strategies.Row]) -> None:
    """Cycles, loops and missing spans: every picture can be parsed, and no card hides another."""
    document = chance(rows)
    nodes, edges = parsed(dot(document))

    assert len(edges) == len(document["edges"])
    assert nx.read_graphml(io.BytesIO(graphml(document).encode())).number_of_nodes() == len(nodes)
    assert all(LINE.fullmatch(line) for line in mermaid(document).split("\n"))
    found = cards(svg(document))
    assert len(found) == len(nodes)
    assert_apart([(x, y) for x, y, _ in found])


@given(
    st.integers(1, 9).flatmap(
        lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2)))
    )
)
def test_edges_run_down_but_for_those_that_close_a_circle(graph: tuple[int, list[tuple[int, int]]]) -> None:
    count, edges = graph
    placed = layout(count, edges)

    assert_apart(list(placed.places))
    for number, (start, end) in enumerate(edges):
        down = placed.places[start][1] < placed.places[end][1]
        assert down is (number not in placed.backward)
    assert not placed.backward or not nx.is_directed_acyclic_graph(nx.DiGraph(edges))
    assert all(
        -0.01 <= x <= placed.width - WIDTH + 0.01 and 0 <= y <= placed.height for x, y in placed.places
    )


def test_an_edge_that_passes_a_row_runs_between_its_cards() -> None:
    placed = layout(4, [(0, 1), (1, 2), (0, 2), (0, 3)])
    (_, (x, top), (same, bottom), _) = placed.routes[2]

    assert (x, bottom - top) == (same, HEIGHT)
    assert all(not place[0] <= x <= place[0] + WIDTH for place in placed.places if place[1] == top)


def test_a_flow_that_is_deeper_than_pythons_stack_is_drawn() -> None:
    count = 3_000
    placed = layout(count, [*((number, number + 1) for number in range(count - 1)), (0, count - 1)])

    assert placed.places[-1][1] > placed.places[0][1]
    assert len(placed.routes[-1]) == 2
