"""Where does each card of a picture go, and how do its edges run? A layered layout, from top to bottom.

A card is one row below the lowest of its causes, and horizontally as near to them as its neighbours allow.
Edges that pass rows go through slots of their own, so none runs through a card. Edges that close a cycle run
back at the side.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

import networkx as nx

Point: TypeAlias = tuple[float, float]
Ends: TypeAlias = tuple[int, int]

WIDTH, HEIGHT = 192.0, 39.0  # of a card, in pixels
_BESIDE, _BELOW = 14.0, 40.0  # between cards, and between rows
_SLOT = 10.0
_MOST_SLOTS = 50  # an edge that passes more rows goes straight: slots would fill most of the picture


@dataclass(frozen=True)
class Layout:
    """The top left corner of each card, and the points that each edge runs through."""

    places: tuple[Point, ...]
    routes: tuple[tuple[Point, ...], ...]
    backward: frozenset[int]  # edges that close a cycle: from side to side, not from row to row
    width: float
    height: float


@dataclass
class _Rows:
    """Cards and slots, numbered: the numbers below *cards* are cards."""

    cards: int
    row: list[int]
    above: list[list[int]]
    ways: list[list[int]] = field(default_factory=list)  # of each edge: its ends, and the slots between them
    middle: list[float] = field(default_factory=list)

    def room(self, item: int) -> float:
        return WIDTH if item < self.cards else _SLOT


def layout(cards: int, edges: Sequence[Ends]) -> Layout:
    """Place *cards* cards, numbered from 0, which *edges* connect."""
    rows = _Rows(cards, _ranks(cards, edges), [[] for _ in range(cards)])
    for source, target in edges:
        _add_way(rows, source, target)
    _place(rows)
    left = min((rows.middle[item] - rows.room(item) / 2 for item in range(len(rows.row))), default=0.0)
    right = max((rows.middle[item] + rows.room(item) / 2 for item in range(len(rows.row))), default=left)
    rows.middle = [middle - left for middle in rows.middle]
    backward = {number for number, (start, end) in enumerate(edges) if rows.row[start] >= rows.row[end]}
    bottom = max((_top(row) + HEIGHT for row in rows.row), default=0.0)
    return Layout(
        places=tuple((rows.middle[card] - WIDTH / 2, _top(rows.row[card])) for card in range(cards)),
        routes=tuple(
            _sideways(rows, way) if number in backward else _downwards(rows, way)
            for number, way in enumerate(rows.ways)
        ),
        backward=frozenset(backward),
        width=right - left,
        height=bottom,
    )


def _ranks(cards: int, edges: Sequence[Ends]) -> list[int]:
    """The row of each card. In a cycle, edges that run against the numbers of the cards do not count."""
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(range(cards))
    graph.add_edges_from(edges)
    knots = enumerate(nx.strongly_connected_components(graph))
    knot = {card: number for number, members in knots for card in members}
    graph.remove_edges_from(
        [(start, end) for start, end in edges if start >= end and knot[start] == knot[end]]
    )
    rank = [0] * cards
    for number, row in enumerate(nx.topological_generations(graph)):
        for card in row:
            rank[card] = number
    for card in range(cards):  # a card without a cause is right above what it caused
        if graph.succ[card] and not graph.pred[card]:
            rank[card] = min(rank[effect] for effect in graph.succ[card]) - 1
    return rank


def _add_way(rows: _Rows, source: int, target: int) -> None:
    passed = range(rows.row[source] + 1, rows.row[target])
    slots = list(range(len(rows.row), len(rows.row) + len(passed))) if len(passed) <= _MOST_SLOTS else []
    rows.row += passed if slots else ()
    rows.above += [[] for _ in slots]
    rows.ways.append([source, *slots, target])
    if rows.row[source] < rows.row[target]:
        for upper, lower in pairwise(rows.ways[-1]):
            rows.above[lower].append(upper)


def _place(rows: _Rows) -> None:
    """Place row by row: ordered by what is above, centred below it, and pushed apart."""
    rows.middle = [0.0] * len(rows.row)
    for row in _by_row(rows.row):
        wish = {item: _mean([rows.middle[upper] for upper in rows.above[item]]) for item in row}
        order = sorted(row, key=lambda item: (wish[item] is None, wish[item] or 0.0, item))
        end = None
        for item in order:
            half, wanted = rows.room(item) / 2, wish[item]
            least = wanted or 0.0 if end is None else end + _BESIDE + half
            rows.middle[item] = least if wanted is None else max(wanted, least)
            end = rows.middle[item] + half
        pushed = _mean([rows.middle[item] - wanted for item in row if (wanted := wish[item]) is not None])
        for item in row:
            rows.middle[item] -= pushed or 0.0


def _by_row(row: Sequence[int]) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in range(max(row, default=-1) + 1)]
    for item, number in enumerate(row):
        found[number].append(item)
    return found


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _top(row: int) -> float:
    return row * (HEIGHT + _BELOW)


def _downwards(rows: _Rows, way: Sequence[int]) -> tuple[Point, ...]:
    """From the bottom of the first card, through each row that is passed, to the top of the last."""
    source, *slots, target = way
    points = [(rows.middle[source], _top(rows.row[source]) + HEIGHT)]
    for slot in slots:
        top = _top(rows.row[slot])
        points += [(rows.middle[slot], top), (rows.middle[slot], top + HEIGHT)]
    return (*points, (rows.middle[target], _top(rows.row[target])))


def _sideways(rows: _Rows, way: Sequence[int]) -> tuple[Point, ...]:
    """From the right side of one card to the right side of the other."""
    return tuple((rows.middle[card] + WIDTH / 2, _top(rows.row[card]) + HEIGHT / 2) for card in way)
