"""Where each box of a drawing goes, and which way its links run.

A layered layout: a box stands one layer below the lowest of its causes, boxes of
a layer never touch, and links run one way. Long links pass the layers between
through slots of their own, so none runs through a box.

Pure and deterministic: the same boxes and links give the same numbers. Siblings
keep the order in which they are given and the first box keeps its place, so a
drawing that grows moves little under the reader's eyes.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Direction = Literal["down", "right"]

SLOT = 10.0  # room for a link that passes a layer
SWEEPS = 16  # more change less than a pixel
TURNS = 4  # tries to undo crossings; each pair of sweeps either helps or is dropped
GRID = 2.0  # centres are rounded, so that a far change does not shift all by a hair


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
    """The answer: top-left corners by box id, one route per link, in the order given.

    A route is start, then an entry and an exit for each layer it passes, then
    the end: curves between layers, straight lines through them. `backward`
    holds the places of links that close a circle; their routes run backwards.
    """

    places: dict[str, tuple[float, float]]
    routes: tuple[tuple[tuple[float, float], ...], ...]
    bounds: tuple[float, float, float, float]
    direction: Direction
    crossings: int
    backward: frozenset[int] = frozenset()


@dataclass
class _Graph:
    """Boxes and slots as numbers; everything a phase reads or fills in."""

    size: list[float]  # along the layer
    depth: list[float]  # across the layer
    above: list[list[int]]
    below: list[list[int]]
    rank: list[int]
    layers: list[list[int]]
    boxes: int  # numbers below this are boxes, the rest are slots


def layout(
    boxes: Sequence[Box],
    links: Sequence[tuple[str, str]],
    *,
    direction: Direction = "down",
    gaps: Gaps | None = None,
) -> Layout:
    """Place *boxes* so that every link of *links* points down (or right).

    Links to ids that are no box are an error of the caller (`KeyError`).
    """
    gaps = gaps or Gaps()
    number = {box.id: place for place, box in enumerate(boxes)}
    ends = [(number[source], number[target]) for source, target in links]
    backward = _closing(len(boxes), ends)
    forward = [
        (target, source) if place in backward else (source, target)
        for place, (source, target) in enumerate(ends)
    ]
    graph, chains = _layered(boxes, forward, direction)
    crossings = _order(graph)
    centres = _centres(graph, gaps)
    return _drawn(boxes, graph, chains, centres, gaps, direction, crossings, backward)


def _closing(count: int, ends: Sequence[tuple[int, int]]) -> frozenset[int]:
    """Find the links that close a circle when boxes are walked in the given order."""
    out: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    for place, (source, target) in enumerate(ends):
        out[source].append((target, place))
    entered, left = [False] * count, [False] * count
    closing = {place for place, (source, target) in enumerate(ends) if source == target}
    targets = {target for source, target in ends if source != target}
    # Starts first: a circle is cut where it is entered, not where numbering began.
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
    """Give each box the length of the longest way that leads to it."""
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


def _layered(
    boxes: Sequence[Box], ends: Sequence[tuple[int, int]], direction: Direction
) -> tuple[_Graph, list[list[int]]]:
    """Build the layers, with a slot wherever a link passes one; a chain per link."""
    down = direction == "down"
    rank = _ranks(len(boxes), ends)
    graph = _Graph(
        size=[box.width if down else box.height for box in boxes],
        depth=[box.height if down else box.width for box in boxes],
        above=[[] for _ in boxes],
        below=[[] for _ in boxes],
        rank=rank,
        layers=[],
        boxes=len(boxes),
    )
    chains = []
    seen: dict[tuple[int, int], list[int]] = {}
    for source, target in ends:
        chain = seen.get((source, target))
        if chain is None:
            chain = _chain(graph, source, target)
            seen[source, target] = chain
        chains.append(chain)
    graph.layers = [[] for _ in range(max(graph.rank, default=-1) + 1)]
    for item in _walked(graph):
        graph.layers[graph.rank[item]].append(item)
    return graph, chains


def _chain(graph: _Graph, source: int, target: int) -> list[int]:
    chain = [source]
    for rank in range(graph.rank[source] + 1, graph.rank[target]):
        slot = len(graph.size)
        graph.size.append(SLOT)
        graph.depth.append(0.0)
        graph.above.append([])
        graph.below.append([])
        graph.rank.append(rank)
        chain.append(slot)
    if source != target:
        chain.append(target)
        for upper, lower in zip(chain, chain[1:], strict=False):
            graph.below[upper].append(lower)
            graph.above[lower].append(upper)
    return chain


def _walked(graph: _Graph) -> list[int]:
    """List everything depth first: a tree walked so crosses nothing."""
    order: list[int] = []
    seen = [False] * len(graph.size)
    missing = [len(above) for above in graph.above]
    for start in range(graph.boxes):
        if seen[start] or graph.above[start]:
            continue
        stack = [start]
        while stack:
            item = stack.pop()
            if seen[item]:
                continue
            seen[item] = True
            order.append(item)
            for lower in reversed(graph.below[item]):
                missing[lower] -= 1
                # A join is placed under the last of its causes: the way to the
                # others is then free on one side.
                if missing[lower] <= 0:
                    stack.append(lower)
    return order


def _order(graph: _Graph) -> int:
    """Undo crossings by moving items towards their neighbours; return what is left."""
    best = _crossings(graph)
    for turn in range(TURNS):
        if best == 0:
            break
        before = [list(layer) for layer in graph.layers]
        _sweep_order(graph, down=turn % 2 == 0)
        now = _crossings(graph)
        if now < best:
            best = now
        else:
            graph.layers = before
    return best


def _sweep_order(graph: _Graph, *, down: bool) -> None:
    layers = range(1, len(graph.layers)) if down else range(len(graph.layers) - 2, -1, -1)
    for rank in layers:
        fixed = {item: place for place, item in enumerate(graph.layers[rank - 1 if down else rank + 1])}
        towards = graph.above if down else graph.below
        wish = {}
        for place, item in enumerate(graph.layers[rank]):
            near = [fixed[other] for other in towards[item]]
            wish[item] = sum(near) / len(near) if near else float(place)
        graph.layers[rank].sort(key=wish.__getitem__)  # stable: equals keep their order


def _crossings(graph: _Graph) -> int:
    """Count pairs of link pieces that cross between neighbouring layers."""
    total = 0
    for upper, lower in zip(graph.layers, graph.layers[1:], strict=False):
        place = {item: at for at, item in enumerate(lower)}
        passed: list[int] = []
        for item in upper:
            reached = sorted(place[other] for other in graph.below[item])
            total += sum(len(passed) - bisect_left(passed, at + 1) for at in reached)
            for at in reached:
                insort(passed, at)
    return total


def _centres(graph: _Graph, gaps: Gaps) -> list[float]:
    """Place everything along its layer: near its neighbours, nothing touching."""
    centre = [0.0] * len(graph.size)
    reach = [_reaches(graph, layer, gaps) for layer in graph.layers]
    for layer, offsets in zip(graph.layers, reach, strict=True):
        for item, offset in zip(layer, offsets, strict=True):
            centre[item] = offset - offsets[-1] / 2
    for sweep in range(SWEEPS):
        down = sweep % 2 == 1
        # The last ones look both ways: straight where it can be, centred else.
        both = sweep >= SWEEPS - 8
        ranks = range(len(graph.layers)) if down else range(len(graph.layers) - 1, -1, -1)
        for rank in ranks:
            layer = graph.layers[rank]
            wishes = [_wish(graph, item, centre, down=down, both=both) for item in layer]
            for item, at in zip(layer, _spread(wishes, reach[rank]), strict=True):
                centre[item] = at
    anchor = centre[0] if centre else 0.0
    return [round((at - anchor) / GRID) * GRID for at in centre]


def _reaches(graph: _Graph, layer: Sequence[int], gaps: Gaps) -> list[float]:
    """Least distance of each item's centre from the first one's."""
    offsets = [0.0]
    for left, right in zip(layer, layer[1:], strict=False):
        gap = gaps.sibling if max(left, right) < graph.boxes else gaps.sibling * 0.7
        room = (graph.size[left] + graph.size[right]) / 2 + gap
        offsets.append(offsets[-1] + GRID * -(-room // GRID))
    return offsets


def _wish(
    graph: _Graph, item: int, centre: Sequence[float], *, down: bool, both: bool
) -> tuple[float, float]:
    """Where *item* would like to stand, and how much it insists."""
    near = [*graph.above[item], *graph.below[item]] if both else (graph.above if down else graph.below)[item]
    if not near:
        # Nothing to follow: stay, but give way to everybody who must move.
        return centre[item], 0.05
    slot = item >= graph.boxes
    weights = [8.0 if slot and other >= graph.boxes else 2.0 if slot else 1.0 for other in near]
    wish = sum(centre[other] * weight for other, weight in zip(near, weights, strict=True))
    return wish / sum(weights), max(weights) * (1.0 + 0.2 * len(near))


def _spread(wishes: Sequence[tuple[float, float]], offsets: Sequence[float]) -> list[float]:
    """Fulfil the wishes as well as can be with every distance of *offsets* kept.

    The least sum of weighted squares, found by pooling neighbours that would
    overlap (isotonic regression): exact, and linear in the length of the layer.
    """
    pools: list[tuple[float, float, int]] = []  # mean, weight, items
    for (wish, weight), offset in zip(wishes, offsets, strict=True):
        mean, total, count = wish - offset, weight, 1
        while pools and pools[-1][0] > mean:
            before, heavy, items = pools.pop()
            mean = (mean * total + before * heavy) / (total + heavy)
            total, count = total + heavy, count + items
        pools.append((mean, total, count))
    starts = [mean for mean, _, count in pools for _ in range(count)]
    return [start + offset for start, offset in zip(starts, offsets, strict=True)]


def _drawn(
    boxes: Sequence[Box],
    graph: _Graph,
    chains: Sequence[Sequence[int]],
    centres: Sequence[float],
    gaps: Gaps,
    direction: Direction,
    crossings: int,
    backward: frozenset[int],
) -> Layout:
    """Turn layers and centres into corners and routes, along the chosen direction."""
    tall = [max((graph.depth[item] for item in layer), default=0.0) for layer in graph.layers]
    top = [0.0] * len(tall)
    for rank in range(1, len(tall)):
        top[rank] = top[rank - 1] + tall[rank - 1] + gaps.layer

    def point(along: float, across: float) -> tuple[float, float]:
        return (along, across) if direction == "down" else (across, along)

    places = {
        box.id: point(centres[item] - graph.size[item] / 2, top[graph.rank[item]])
        for item, box in enumerate(boxes)
    }
    routes = []
    for place, chain in enumerate(chains):
        route = []
        for item in chain:
            head = top[graph.rank[item]]
            tail = head + (graph.depth[item] if item < graph.boxes else tall[graph.rank[item]])
            route += [point(centres[item], head), point(centres[item], tail)]
        # A link starts at the foot of its first box and ends at the head of its last.
        drawn = route[1:-1] if len(chain) > 1 else route
        routes.append(tuple(reversed(drawn)) if place in backward else tuple(drawn))
    corners = [(places[box.id], box) for box in boxes]
    bounds = (
        min((x for (x, _), _ in corners), default=0.0),
        min((y for (_, y), _ in corners), default=0.0),
        max((x + box.width for (x, _), box in corners), default=0.0),
        max((y + box.height for (_, y), box in corners), default=0.0),
    )
    return Layout(places, tuple(routes), bounds, direction, crossings, backward)
