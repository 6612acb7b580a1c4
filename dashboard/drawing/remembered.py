"""What of a drawing stays as it was while its flow grows? Its direction, the order of its boxes, its folds.

A flow does not arrive in the order in which it happened, and its form is known only at its end. A drawing
that was laid out anew for each message would turn round, reorder its cards and fold them before our eyes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from dashboard.drawing.fold import FOLD_FROM, Choices, Folded, fold
from dashboard.drawing.layout import Direction
from dashboard.drawing.steps import Steps

# A drawing that opened unfolded is folded by itself only once it has so many messages.
FOLD_AT_LAST = 4 * FOLD_FROM


@dataclass
class Memory:
    """Of one drawing, for one reader. `seen` is the order in which boxes were drawn for the first time."""

    choices: Choices = field(default_factory=Choices)
    direction: Direction | None = None
    seen: dict[str, int] = field(default_factory=dict)
    stacks: bool = False

    def folded(self, steps: Steps) -> Folded:
        """Return what is drawn of *steps*, and remember it."""
        messages = sum(step.kind == "message" for step in steps.steps)
        self.stacks = self.stacks or messages > (FOLD_AT_LAST if self.seen else FOLD_FROM)
        for step in steps.steps:
            self.seen.setdefault(step.id, len(self.seen))
        ordered = tuple(sorted(steps.steps, key=lambda step: self.seen[step.id]))
        return fold(replace(steps, steps=ordered), self.choices, stacks=self.stacks)
