"""Where does each box of a drawing go, and where do its links run?

A layered layout on a tree: a box is one layer below the lowest of its causes,
under the cause that came last. Boxes never touch, and links all point one way.
The longest path through a drawing is a straight line, because that is the path a
reader follows. A long link has its own slot in each layer it passes, so that it
never runs through a box.

Pure and deterministic: the same boxes and links give the same numbers. Siblings
keep the order in which they are given and the first box keeps its place, so that
a drawing moves little while it grows. The collector's pictures do not grow and
use another layout: docs/adr/0009-two-layouts.md says why.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

Direction = Literal["down", "right"]
Point = tuple[float, float]

SLOT = 10.0  # room for a link that passes a layer, in pixels


@dataclass(frozen=True)
class Box:
    """Something to place; `width` and `height` in pixels, as drawn."""

    id: str
    width: float
    height: float


@dataclass(frozen=True)
class Gaps:
    """Space between neighbours of a layer, and between layers, in pixels."""

    sibling: float = 14.0
    layer: float = 18.0


@dataclass(frozen=True)
class Layout:
    """The result: top-left corners by box id, and one route per link, in the order given.

    A route has its start, an entry and an exit for each layer it passes, and its
    end: curves between layers, straight lines through them. `backward` holds the
    indices of links that close a cycle; their routes run backwards.
    """

    places: dict[str, Point]
    routes: tuple[tuple[Point, ...], ...]
    bounds: tuple[float, float, float, float]
    direction: Direction
    crossings: int
    backward: frozenset[int] = frozenset()


@dataclass
class _Graph:
    """Boxes and slots as numbers: those below `boxes` are boxes, the others are slots."""

    boxes: int
    size: list[float]  # along the layer
    depth: list[float]  # across the layer
    rank: list[int]
    above: list[list[int]]
    below: list[list[int]]
    chains: list[list[int]] = field(default_factory=list)  # per link: the items it runs through


@dataclass
class _Shape:
    """The outline of a subtree: its left and right edge in each layer, lowest first.

    Edges are relative to the subtree's root, and stored less `shift`: moving a
    subtree, however large, is then a single addition.
    """

    left: list[float]
    right: list[float]
    shift: float = 0.0


def layout(
    boxes: Sequence[Box],
    links: Sequence[tuple[str, str]],
    *,
    direction: Direction = "down",
    gaps: Gaps | None = None,
) -> Layout:
    """Place *boxes* so that every link of *links* points down (or right).

    Raise `KeyError` for a link to an id that is not a box.
    """
    number = {box.id: place for place, box in enumerate(boxes)}
    ends = [(number[source], number[target]) for source, target in links]
    backward = _closing(len(boxes), ends)
    forward = [
        (target, source) if place in backward else (source, target)
        for place, (source, target) in enumerate(ends)
    ]
    graph = _layered(boxes, forward, direction)
    centres = _centres(graph, _tree(graph), (gaps or Gaps()).sibling)
    return _Drawing(boxes, graph, centres, direction, (gaps or Gaps()).layer).layout(backward)


def _closing(count: int, ends: Sequence[tuple[int, int]]) -> frozenset[int]:
    """Find the links that close a cycle when the boxes are walked depth first, in the given order."""
    out: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    for place, (source, target) in enumerate(ends):
        out[source].append((target, place))
    entered, left = [False] * count, [False] * count
    closing = {place for place, (source, target) in enumerate(ends) if source == target}
    targets = {target for source, target in ends if source != target}
    # Boxes without a cause first, so that a cycle is cut where it is entered, not at its lowest number.
    for start in [*(box for box in range(count) if box not in targets), *range(count)]:
        if entered[start]:
            continue
        entered[start] = True
        walk = [(start, iter(out[start]))]
        while walk:
            box, rest = walk[-1]
            for target, place in rest:
                if entered[target] and not left[target]:
                    closing.add(place)
                elif not entered[target]:
                    entered[target] = True
                    walk.append((target, iter(out[target])))
                    break
            else:
                left[box] = True
                walk.pop()
    return frozenset(closing)


def _ranks(count: int, ends: Iterable[tuple[int, int]]) -> list[int]:
    """Return the length of the longest path to each box."""
    below: list[list[int]] = [[] for _ in range(count)]
    waiting = [0] * count
    for source, target in ends:
        if source != target:
            below[source].append(target)
            waiting[target] += 1
    rank = [0] * count
    ready = [box for box in range(count) if not waiting[box]]
    for box in ready:
        for target in below[box]:
            rank[target] = max(rank[target], rank[box] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    return rank


def _layered(boxes: Sequence[Box], ends: Sequence[tuple[int, int]], direction: Direction) -> _Graph:
    """Assign every box to a layer, and add a slot wherever a link passes one."""
    down = direction == "down"
    graph = _Graph(
        boxes=len(boxes),
        size=[box.width if down else box.height for box in boxes],
        depth=[box.height if down else box.width for box in boxes],
        rank=_ranks(len(boxes), ends),
        above=[[] for _ in boxes],
        below=[[] for _ in boxes],
    )
    known: dict[tuple[int, int], list[int]] = {}
    for source, target in ends:
        if (source, target) not in known:
            known[source, target] = _chain(graph, source, target)
        graph.chains.append(known[source, target])
    return graph


def _chain(graph: _Graph, source: int, target: int) -> list[int]:
    chain = [source]
    for rank in range(graph.rank[source] + 1, graph.rank[target]):
        chain.append(len(graph.size))
        graph.size.append(SLOT)
        graph.depth.append(0.0)
        graph.rank.append(rank)
        graph.above.append([])
        graph.below.append([])
    if source != target:
        chain.append(target)
        for upper, lower in pairwise(chain):
            graph.below[upper].append(lower)
            graph.above[lower].append(upper)
    return chain


def _tree(graph: _Graph) -> list[list[int]]:
    """Choose each item's parent among its causes, the last box or else the last slot; return the children."""
    children: list[list[int]] = [[] for _ in graph.size]
    chosen = [
        max(above, key=lambda cause: (cause < graph.boxes, cause), default=None) for above in graph.above
    ]
    for item, below in enumerate(graph.below):
        children[item] = sorted(lower for lower in below if chosen[lower] == item)
    return children


def _centres(graph: _Graph, children: Sequence[Sequence[int]], gap: float) -> list[float]:
    """Pack subtrees side by side, as close as their outlines allow."""
    roots = [item for item in range(graph.boxes) if not graph.above[item]]
    order = list(roots)
    for item in order:
        order.extend(children[item])
    offset = [0.0] * len(graph.size)  # of each item, relative to its parent
    height = [1] * len(graph.size)
    shapes: list[_Shape | None] = [None] * len(graph.size)
    for item in reversed(order):
        half = graph.size[item] / 2
        shape = _packed(children[item], shapes, offset, gap)
        if shape is None:
            shapes[item] = _Shape([-half], [half])
            continue
        height[item] = 1 + max(height[child] for child in children[item])
        middle = _middle(graph, children[item], offset, height)
        for child in children[item]:
            offset[child] -= middle
        shape.shift -= middle
        shape.left.append(-half - shape.shift)
        shape.right.append(half - shape.shift)
        shapes[item] = shape
    _packed(roots, shapes, offset, gap)
    centre = list(offset)
    for item in order:
        for child in children[item]:
            centre[child] = centre[item] + offset[child]
    anchor = centre[0] if centre else 0.0
    return [at - anchor for at in centre]


def _packed(
    items: Sequence[int], shapes: list[_Shape | None], offset: list[float], gap: float
) -> _Shape | None:
    """Place subtrees from left to right, join their outlines and fill in `offset`."""
    joined: _Shape | None = None
    for item in items:
        shape, shapes[item] = shapes[item], None
        if shape is None:
            continue
        if joined is None:
            joined, offset[item] = shape, 0.0
            continue
        common = range(1, min(len(joined.left), len(shape.left)) + 1)
        apart = max(joined.right[-at] - shape.left[-at] for at in common)
        offset[item] = float(round(apart + joined.shift - shape.shift + gap))
        shape.shift += offset[item]
        joined = _joined(joined, shape)
    return joined


def _joined(left: _Shape, right: _Shape) -> _Shape:
    """Merge two outlines into the longer one, at the cost of the shorter."""
    apart = right.shift - left.shift
    common = range(1, min(len(left.left), len(right.left)) + 1)
    if len(left.left) >= len(right.left):
        for at in common:
            left.right[-at] = right.right[-at] + apart
        return left
    for at in common:
        right.left[-at] = left.left[-at] - apart
    return right


def _middle(graph: _Graph, children: Sequence[int], offset: Sequence[float], height: Sequence[int]) -> float:
    """Return where a cause goes: above its longest branch, or centred above its effects if all are leaves."""
    boxes = [child for child in children if child < graph.boxes] or list(children)
    longest = max(height[child] for child in boxes)
    leading = [child for child in boxes if height[child] == longest]
    if len(leading) == 1 or longest > 1:
        return offset[leading[0]]
    return float(round((offset[boxes[0]] + offset[boxes[-1]]) / 2))


class _Drawing:
    """Turns layers and centres into corners and routes, in the chosen direction."""

    def __init__(
        self, boxes: Sequence[Box], graph: _Graph, centres: Sequence[float], direction: Direction, gap: float
    ) -> None:
        self.boxes = boxes
        self.graph = graph
        self.centres = centres
        self.direction = direction
        self.tall = [0.0] * (max(graph.rank, default=-1) + 1)
        for item, rank in enumerate(graph.rank):
            self.tall[rank] = max(self.tall[rank], graph.depth[item])
        self.top = [0.0] * len(self.tall)
        for rank in range(1, len(self.tall)):
            self.top[rank] = self.top[rank - 1] + self.tall[rank - 1] + gap

    def layout(self, backward: frozenset[int]) -> Layout:
        places = {box.id: self._corner(item) for item, box in enumerate(self.boxes)}
        routes = tuple(
            tuple(reversed(route)) if place in backward else tuple(route)
            for place, route in enumerate(map(self._route, self.graph.chains))
        )
        corners = [(places[box.id], box) for box in self.boxes]
        bounds = (
            min((x for (x, _), _ in corners), default=0.0),
            min((y for (_, y), _ in corners), default=0.0),
            max((x + box.width for (x, _), box in corners), default=0.0),
            max((y + box.height for (_, y), box in corners), default=0.0),
        )
        return Layout(places, routes, bounds, self.direction, self._crossings(), backward)

    def _point(self, along: float, across: float) -> Point:
        return (along, across) if self.direction == "down" else (across, along)

    def _corner(self, item: int) -> Point:
        return self._point(self.centres[item] - self.graph.size[item] / 2, self.top[self.graph.rank[item]])

    def _route(self, chain: Sequence[int]) -> list[Point]:
        route = []
        for item in chain:
            rank = self.graph.rank[item]
            head = self.top[rank]
            tail = head + (self.graph.depth[item] if item < self.graph.boxes else self.tall[rank])
            route += [self._point(self.centres[item], head), self._point(self.centres[item], tail)]
        # A link starts at the foot of its first box and ends at the head of its last.
        return route[1:-1] if len(chain) > 1 else route

    def _crossings(self) -> int:
        """Count pairs of link pieces that cross between neighbouring layers."""
        layers: list[list[int]] = [[] for _ in self.tall]
        for item, rank in enumerate(self.graph.rank):
            layers[rank].append(item)
        total = 0
        for layer in layers:
            passed: list[float] = []
            for item in sorted(layer, key=self.centres.__getitem__):
                reached = [self.centres[other] for other in self.graph.below[item]]
                total += sum(len(passed) - bisect_right(passed, at) for at in reached)
                for at in reached:
                    insort(passed, at)
        return total
