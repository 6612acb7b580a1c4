"""Boxes never touch, links run one way, and a drawing that grows hardly moves."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.drawing.layout import Box, Gaps, Layout, layout
from dashboard.drawing.scene import size
from dashboard.drawing.steps import Steps, steps
from tests.dashboard.factories import Story

Links = list[tuple[str, str]]


def boxes(count: int, width: float = 192.0, height: float = 39.0) -> list[Box]:
    return [Box(f"b{number}", width, height) for number in range(count)]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Box], Links]:
    """Any boxes with any links, including cycles and links of a box to itself."""
    count = draw(st.integers(1, 24))
    sizes = st.tuples(st.sampled_from([60.0, 120.0, 192.0]), st.sampled_from([24.0, 39.0]))
    drawn = [Box(f"b{number}", *draw(sizes)) for number in range(count)]
    ends = st.integers(0, count - 1)
    links = draw(st.lists(st.tuples(ends, ends), max_size=40))
    return drawn, [(f"b{source}", f"b{target}") for source, target in links]


def overlapping(drawn: list[Box], placed: Layout) -> list[tuple[str, str]]:
    def apart(first: Box, second: Box) -> bool:
        (x1, y1), (x2, y2) = placed.places[first.id], placed.places[second.id]
        return (
            x1 + first.width <= x2
            or x2 + second.width <= x1
            or y1 + first.height <= y2
            or y2 + second.height <= y1
        )

    return [(a.id, b.id) for a, b in combinations(drawn, 2) if not apart(a, b)]


@given(graphs(), st.sampled_from(["down", "right"]))
def test_boxes_never_touch(graph: tuple[list[Box], Links], direction: str) -> None:
    """A card on top of another hides a step."""
    drawn, links = graph

    placed = layout(drawn, links, direction="down" if direction == "down" else "right")

    assert set(placed.places) == {box.id for box in drawn}
    assert overlapping(drawn, placed) == []


@given(graphs())
def test_links_run_one_way(graph: tuple[list[Box], Links]) -> None:
    """Links run from top to bottom, from cause to effect; only those that close a cycle run back."""
    drawn, links = graph

    placed = layout(drawn, links)

    for place, (source, target) in enumerate(links):
        above, below = placed.places[source][1], placed.places[target][1]
        assert (above >= below) if place in placed.backward else (above < below)


@given(graphs())
def test_the_same_input_gives_the_same_drawing(graph: tuple[list[Box], Links]) -> None:
    drawn, links = graph

    assert layout(drawn, links) == layout(drawn, links)


@given(graphs())
def test_links_begin_and_end_at_their_boxes(graph: tuple[list[Box], Links]) -> None:
    """A line that ends beside its box does not say where it leads."""
    drawn, links = graph
    size = {box.id: box for box in drawn}

    placed = layout(drawn, links)

    for place, (source, target) in enumerate(links):
        if source == target:
            continue
        (x0, y0), *_, (x1, y1) = placed.routes[place]
        (ax, ay), (bx, by) = placed.places[source], placed.places[target]
        assert x0 == ax + size[source].width / 2
        assert x1 == bx + size[target].width / 2
        if place not in placed.backward:
            assert (y0, y1) == (ay + size[source].height, by)


@given(graphs())
def test_long_links_pass_no_box(graph: tuple[list[Box], Links]) -> None:
    """A line that runs behind a card looks as if it ended there."""
    drawn, links = graph

    placed = layout(drawn, links)

    for route in placed.routes:
        for (x, top), (_, bottom) in zip(route[1:-1:2], route[2:-1:2], strict=True):
            inside = [
                box.id
                for box in drawn
                if placed.places[box.id][0] < x < placed.places[box.id][0] + box.width
                and placed.places[box.id][1] < bottom
                and placed.places[box.id][1] + box.height > top
            ]
            assert inside == []


@given(st.integers(2, 40).flatmap(lambda n: st.tuples(*(st.integers(0, at) for at in range(n - 1)))))
def test_trees_have_no_crossings(parents: tuple[int, ...]) -> None:
    """Most flows are trees, and a tree can always be drawn without crossings."""
    drawn = boxes(len(parents) + 1)
    links = [(f"b{parent}", f"b{at + 1}") for at, parent in enumerate(parents)]

    assert layout(drawn, links).crossings == 0


def test_the_longest_way_is_a_straight_line() -> None:
    """It is the path that a reader follows."""
    drawn = boxes(7)
    links = [("b0", "b1"), ("b1", "b2"), ("b2", "b3"), ("b0", "b4"), ("b1", "b5"), ("b0", "b6")]

    placed = layout(drawn, links)

    assert len({placed.places[name][0] for name in ("b0", "b1", "b2", "b3")}) == 1


def test_siblings_stand_in_the_order_of_their_appearance() -> None:
    drawn = boxes(4)
    placed = layout(drawn, [("b0", "b1"), ("b0", "b3"), ("b0", "b2")])

    assert placed.places["b1"][0] < placed.places["b2"][0] < placed.places["b3"][0]


def test_neighbours_stand_no_further_apart_than_asked() -> None:
    placed = layout(boxes(3, width=100.0), [("b0", "b1"), ("b0", "b2")], gaps=Gaps(sibling=20.0, layer=30.0))

    assert placed.places["b2"][0] - placed.places["b1"][0] == 120.0
    assert placed.places["b1"][1] - placed.places["b0"][1] == 39.0 + 30.0


def test_a_growing_flow_moves_little() -> None:
    """What a reader looks at must not jump because one more message arrived."""
    order = Story()
    placed = order.publish("OrderPlaced")
    order.react(placed, "analytics")
    reserved = order.step(placed, "inventory", "StockReserved", work_ms=40)
    order.react(reserved, "analytics", wait_ms=20)
    order.react(placed, "notification", wait_ms=80)
    cleared = order.step(placed, "fraud", "OrderCleared", work_ms=180)
    order.react(cleared, "shipping")
    captured = order.step(reserved, "payment", "PaymentCaptured", wait_ms=300)
    order.react(captured, "analytics")
    order.react(captured, "notification", wait_ms=90)
    packed = order.step(captured, "shipping", "ParcelPacked", work_ms=120)
    picked = order.step(packed, "warehouse", "ParcelPicked", work_ms=900)
    shipped = order.step(picked, "shipping", "OrderShipped")
    for service in ("order", "analytics", "notification"):
        order.react(shipped, service)
    whole = steps(order.flow())

    moved = []
    for count in range(4, len(whole.steps)):
        before, after = (first(whole, number) for number in (count, count + 1))
        # The window follows what moves as a whole (camera.js), so only the rest jumps.
        moves = Counter((after[name][0] - x, after[name][1] - y) for name, (x, y) in before.items())
        moved.append(1 - moves.most_common(1)[0][1] / len(before))

    assert sum(moved) / len(moved) <= 0.10


def first(whole: Steps, count: int) -> dict[str, tuple[float, float]]:
    """Return where the first *count* steps of a flow are drawn before the others happen."""
    seen = [step.id for step in whole.steps[:count]]
    links = [(link.source, link.target) for link in whole.links if {link.source, link.target} <= set(seen)]
    return layout([Box(name, *size(whole.by_id[name])) for name in seen], links).places


def test_no_boxes_are_a_drawing_too() -> None:
    assert layout([], []).bounds == (0.0, 0.0, 0.0, 0.0)


@settings(max_examples=5)
@given(st.integers(900, 1100))
def test_a_thousand_boxes_in_a_chain_are_no_problem(count: int) -> None:
    """Flows may be deep, so nothing here may recurse for each message."""
    placed = layout(boxes(count), [(f"b{at}", f"b{at + 1}") for at in range(count - 1)])

    assert len(placed.places) == count
