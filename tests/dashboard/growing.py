"""A drawing that grows while it is looked at: how much of it moves?"""

from __future__ import annotations

import random
from collections import Counter

from dashboard.drawing import scene
from dashboard.drawing.remembered import Memory
from dashboard.drawing.steps import steps
from tests.dashboard.factories import Story

Places = dict[str, tuple[float, float]]


def growing_fan(width: int) -> list[float]:
    """The share of the cards that move, in percent, each time that one more arrives, in any order."""
    chance = random.Random(7)
    story = Story()
    root = story.publish("BatchPlanned")
    memory, before, moved = Memory(), Places(), []
    for number in range(1, width):
        story.step(root, f"picker{number % 7}", f"Picked{number % 5}", wait_ms=chance.uniform(1, 5_000))
        after = placed(story, memory)
        if before:
            moved.append(moves(before, after))
        before = after
    return moved


def placed(story: Story, memory: Memory) -> Places:
    """Where the boxes of a flow are drawn."""
    folded = memory.folded(steps(story.flow()))
    drawn = scene.graph(folded, str, selected=None, name="flow", direction=memory.direction)
    memory.direction = drawn["direction"]
    return {node["id"]: (node["x"], node["y"]) for node in drawn["nodes"]}


def moves(before: Places, after: Places) -> float:
    """The share of the boxes that move. The window follows what moves as a whole, so only the rest jumps."""
    both = before.keys() & after.keys()
    ways = Counter((after[name][0] - before[name][0], after[name][1] - before[name][1]) for name in both)
    return 100 * (1 - ways.most_common(1)[0][1] / len(both))
