"""Which boxes of a large flow are drawn as one? Branches that repeat, and branches that the reader closes.

A branch is what would not have happened without its first step: everything to which all ways lead through it
(in terms of graphs, what it dominates). Branches beside each other that have the same event types, services
and form are drawn as one, a stack, if there are more than three and nothing in them needs attention. Whatever
is late, failed or missing is never folded away, nor is anything on the way to it.

Pure: the same steps and the same choices give the same boxes. The first of the branches stands for all of
them, so that a stack keeps its place while it grows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Literal

from dashboard.drawing.steps import Link, Step, Steps, urgency

# Up to so many messages nothing is folded by itself: see `remembered.py`.
FOLD_FROM = 150
# Up to so many branches that are alike are drawn one by one.
FEW = 3
# Up to so many boxes are drawn; of more, so many, and branches can be chosen.
MOST = 2_000
SHOWN = 1_000

Fold = Literal["open", "close", ""]


@dataclass(frozen=True)
class Choices:
    """What the reader unfolded and folded, by the ids of first steps."""

    opened: frozenset[str] = frozenset()
    closed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Folded:
    """What is drawn of a flow, and what stands for what.

    `steps` has the boxes that are left. `stands` says which of them a step is drawn as. `times` is how many
    steps a box of a stack stands for, `hidden` how many follow from a box and are not drawn. `fold` says what
    the reader can do with a box. `left_out` is how many boxes were too many to be drawn.
    """

    steps: Steps
    stands: dict[str, str] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    hidden: dict[str, int] = field(default_factory=dict)
    fold: dict[str, Fold] = field(default_factory=dict)
    left_out: int = 0
    _stack: dict[str, str] = field(default_factory=dict)  # the first step of each box of a stack

    def shown(self, step: Step | None) -> str | None:
        """Return the id of the box that *step* is drawn as."""
        return None if step is None else self.stands.get(step.id, step.id)

    def alike(self, step: Step | None) -> int:
        """Return how many steps are drawn as one with *step*, itself among them."""
        return self.times.get(self.shown(step) or "", 1)

    def toggled(self, choices: Choices, box: str) -> Choices:
        """Return *choices* after the reader folded or unfolded *box*."""
        opened, closed = choices.opened, choices.closed
        stack = self._stack.get(box)
        if box in closed:
            return Choices(opened, closed - {box})
        if box in self.hidden:  # too much was there to draw all
            return Choices(opened | {box}, closed)
        if stack is not None:
            return Choices(opened ^ {stack}, closed)
        return Choices(opened, closed | {box}) if self.fold.get(box) else choices


def fold(steps: Steps, choices: Choices, *, stacks: bool = True) -> Folded:
    """Fold the branches that the reader closed, and with *stacks* those that repeat.

    The first of *steps* of a stack stands for it.
    """
    return _Folding(steps, choices, stacks=stacks).done()


class _Folding:
    """The walk over one flow; steps are numbered in the order of their appearance."""

    def __init__(self, steps: Steps, choices: Choices, *, stacks: bool) -> None:
        self.steps = steps
        self.choices = choices
        self.number = {step.id: number for number, step in enumerate(steps.steps)}
        ends = {(self.number[link.source], self.number[link.target]) for link in steps.links}
        count = len(steps.steps)
        self.causes: list[list[int]] = [[] for _ in range(count)]
        self.effects: list[list[int]] = [[] for _ in range(count)]
        for source, target in sorted(ends):
            if source != target:
                self.causes[target].append(source)
                self.effects[source].append(target)
        self.order = list(self._causes_first())
        self.parent = self._dominators()
        self.below: list[list[int]] = [[] for _ in range(count)]
        self.roots: list[int] = []
        for step in range(count):
            above = self.parent[step]
            (self.roots if above is None else self.below[above]).append(step)
        self.urgent = self._leading_to_problems()
        self.stands = list(range(count))  # the step that each is drawn as
        self.stack: dict[int, int] = {}
        self.closing: dict[int, int] = {}  # boxes that hide steps, and how many
        self.left_out = 0
        if stacks:
            self.shape = self._shapes()
            self._stack_all()
        self._close(self.number[box] for box in choices.closed if box in self.number)
        self._cap()

    def _causes_first(self) -> Iterator[int]:
        """Yield steps after all their causes; those of a circle are left out, and what follows from them."""
        waiting = [len(causes) for causes in self.causes]
        ready = [step for step, count in enumerate(waiting) if not count]
        for step in ready:
            yield step
            for effect in self.effects[step]:
                waiting[effect] -= 1
                if not waiting[effect]:
                    ready.append(effect)

    def _dominators(self) -> list[int | None]:
        """Return, for each step, the last one through which all ways to it lead."""
        parent: list[int | None] = [None] * len(self.causes)
        depth = [0] * len(self.causes)
        for step in self.order:
            common: int | None = self.causes[step][0] if self.causes[step] else None
            for cause in self.causes[step][1:]:
                other: int | None = cause
                while common != other and common is not None and other is not None:
                    if depth[common] >= depth[other]:
                        common = parent[common]
                    else:
                        other = parent[other]
                common = common if common == other else None
            parent[step] = common
            depth[step] = 0 if common is None else depth[common] + 1
        return parent

    def _leading_to_problems(self) -> set[int]:
        found: set[int] = set()
        for number, step in enumerate(self.steps.steps):
            at: int | None = number
            if not urgency(step) and step.kind != "blocked":
                continue
            while at is not None and at not in found:
                found.add(at)
                at = self.parent[at]
        return found

    def _shapes(self) -> list[int]:
        """Number the forms of branches: two with the same number can be drawn as one."""
        known: dict[object, int] = {}
        shape = [0] * len(self.causes)
        name = [(step.kind, step.title, step.service) for step in self.steps.steps]
        for step in reversed(self.order):
            branches: dict[int, int] = {}
            for child in self.below[step]:
                branches[shape[child]] = min(branches.get(shape[child], 0) + 1, FEW + 1)
            form = (
                name[step],
                step if step in self.urgent else -1,
                frozenset(name[cause] for cause in self.causes[step]),
                frozenset(name[effect] for effect in self.effects[step]),
                frozenset(branches.items()),
            )
            shape[step] = known.setdefault(form, len(known) + 1)
        return shape

    def _alike(self, steps: Iterable[int]) -> list[list[int]]:
        groups: dict[int, list[int]] = {}
        for step in steps:
            groups.setdefault(self.shape[step] or -step - 1, []).append(step)
        return list(groups.values())

    def _stack_all(self) -> None:
        waiting = [self.roots]
        while waiting:
            for group in self._alike(waiting.pop()):
                first = group[0]
                if len(group) <= FEW or first in self.urgent:
                    waiting += [self.below[step] for step in group]
                elif self.steps.steps[first].id in self.choices.opened:
                    self.stack |= dict.fromkeys(group, first)
                    waiting += [self.below[step] for step in group]
                else:
                    self._merge(group)

    def _merge(self, group: list[int]) -> None:
        """Let the first of *group*, and its branch, stand for all."""
        waiting = [group]
        while waiting:
            alike = waiting.pop()
            for step in alike:
                self.stands[step] = alike[0]
            self.stack[alike[0]] = group[0]
            branches: dict[int, list[list[int]]] = {}
            for step in alike:
                for those in self._alike(self.below[step]):
                    branches.setdefault(self.shape[those[0]], []).append(those)
            for each in branches.values():
                if len(each[0]) > FEW:
                    waiting.append([step for those in each for step in those])
                else:
                    waiting += [list(those) for those in zip(*each, strict=True)]

    def _close(self, boxes: Iterable[int]) -> None:
        for box in sorted(boxes):
            if self.stands[box] == box and (hidden := self._hide(box)):
                self.closing[box] = hidden

    def _hide(self, box: int) -> int:
        """Let *box* stand for what follows from it alone, except for what leads to a problem."""
        hidden = 0
        waiting = list(self.below[box])
        for step in waiting:
            if step in self.urgent:
                continue
            hidden += 1
            self.stands[step] = box
            waiting += self.below[step]
        return hidden

    def _cap(self) -> None:
        """Draw what leads to problems, then what the reader opened, then the rest, from the start on."""
        drawn = sum(self.stands[step] == step for step in range(len(self.stands)))
        if drawn <= MOST:
            return
        kept: set[int] = set()
        for wanted in (self.urgent, self._opened(), set(range(len(self.stands)))):
            waiting = list(self.roots)
            for step in waiting:
                if self.stands[step] == step and (step in kept or (step in wanted and len(kept) < SHOWN)):
                    kept.add(step)
                    waiting += self.below[step]
        self.left_out = drawn - len(kept)
        circles = set(range(len(self.stands))).difference(self.order)
        for step in [*self.order, *circles]:
            if self.stands[step] == step and step not in kept:
                above = self.parent[step]
                self.stands[step] = -1 if above is None else self._drawn_as(above)
                if self.stands[step] >= 0:
                    self.closing[self.stands[step]] = self.closing.get(self.stands[step], 0) + 1

    def _opened(self) -> set[int]:
        """What follows from the boxes that the reader opened, and what leads to them."""
        opened = [self.number[box] for box in self.choices.opened if box in self.number]
        found: set[int] = set()
        for box in opened:
            at: int | None = box
            while at is not None and at not in found:
                found.add(at)
                at = self.parent[at]
        waiting = list(opened)
        for step in waiting:
            found.add(step)
            waiting += self.below[step]
        return found

    def _drawn_as(self, step: int) -> int:
        while step >= 0 and self.stands[step] != step:
            step = self.stands[step]
        return step

    # ---- the result

    def done(self) -> Folded:
        all_ = self.steps.steps
        stacked = [self._is_stacked(step) for step in range(len(all_))]
        self.stands = [self._drawn_as(step) for step in range(len(all_))]
        members: dict[int, list[Step]] = {}
        for number, stands in enumerate(self.stands):
            if stands == number or stacked[number]:
                members.setdefault(stands, []).append(all_[number])
        times = {all_[box].id: len(those) for box, those in members.items() if len(those) > 1}
        kept = tuple(_of_all(all_[box], members[box]) for box in sorted(members))
        ids = {number: all_[stands].id for number, stands in enumerate(self.stands) if stands >= 0}
        return Folded(
            steps=replace(
                self.steps,
                steps=kept,
                links=tuple(self._links(ids)),
                by_id={step.id: step for step in kept},
            ),
            stands={all_[number].id: box for number, box in ids.items()},
            times=times,
            hidden={all_[box].id: count for box, count in self.closing.items()},
            fold={step.id: self._choice(self.number[step.id]) for step in kept},
            left_out=self.left_out,
            _stack={all_[box].id: all_[first].id for box, first in self.stack.items()},
        )

    def _is_stacked(self, step: int) -> bool:
        box = self.stands[step]
        return box in self.stack and box not in self.closing and self.stands[box] == box

    def _links(self, ids: dict[int, str]) -> Iterable[Link]:
        links: dict[tuple[str, str], Link] = {}
        for link in self.steps.links:
            source, target = ids.get(self.number[link.source]), ids.get(self.number[link.target])
            if source is None or target is None:
                continue
            if source == target and link.source != link.target:
                continue
            known = links.get((source, target))
            # A line that stands for several is as certain as the least certain of them.
            if known is None or (known.certainty != "inferred" and link.certainty == "inferred"):
                links[source, target] = replace(link, source=source, target=target)
        return links.values()

    def _choice(self, box: int) -> Fold:
        step = self.steps.steps[box]
        if box in self.closing:
            return "open"
        if box in self.stack:
            return "close" if self.steps.steps[self.stack[box]].id in self.choices.opened else "open"
        return "close" if step.kind == "message" and self._hides_something(box) else ""

    def _hides_something(self, box: int) -> bool:
        return any(child not in self.urgent for child in self.below[box])


def _of_all(step: Step, those: Sequence[Step]) -> Step:
    """Give the box of a stack the times of its middle."""
    if len(those) == 1:
        return step
    waits = [one.wait_ms for one in those if one.wait_ms is not None]
    works = [one.work_ms for one in those if one.work_ms is not None]
    return replace(
        step,
        wait_ms=median(waits) if waits else None,
        work_ms=median(works) if works else None,
        attempts=max(one.attempts for one in those),
    )
