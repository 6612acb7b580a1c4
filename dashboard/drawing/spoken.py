"""What does a screen reader say of a box? What it is, what it took, what led to it and what it led to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from dashboard import words
from dashboard.drawing.steps import Step, Steps

MOST_NAMES = 3  # what a box led to may be hundreds


def labels(
    steps: Steps, times: Mapping[str, int] | None = None, hidden: Mapping[str, int] | None = None
) -> dict[str, str]:
    """Describe each step in words, by its id.

    *times* says how many steps a stack stands for, *hidden* how many follow from a box and are not drawn.
    """
    causes: dict[str, list[Step]] = {}
    effects: dict[str, list[Step]] = {}
    for link in steps.links:
        effects.setdefault(link.source, []).append(steps.by_id[link.target])
        causes.setdefault(link.target, []).append(steps.by_id[link.source])
    return {
        step.id: "; ".join(
            [
                _itself(step, steps.offset(step), (times or {}).get(step.id, 1)),
                *_folded((times or {}).get(step.id, 1), (hidden or {}).get(step.id, 0)),
                *_related(steps, step, causes.get(step.id, []), effects.get(step.id, [])),
            ]
        )
        for step in steps.steps
    }


def stacked(title: str, times: int) -> str:
    """Return what a box is called that stands for so many steps."""
    return f"{times:,}\u00d7 {title}" if times > 1 else title


def _itself(step: Step, at: str, times: int) -> str:
    if step.kind == "ghost":
        return f"{step.title}, expected from {step.service}, not seen"
    if step.kind == "blocked":
        return f"{step.title}: {_listed(step.names)}"
    if step.kind == "unseen":
        return "cause not seen: before retention, or lost"
    what = "published by" if step.kind == "message" else "reaction of"
    said = f"{stacked(step.title, times)}, {what} {step.service}, {at}"
    if step.wait_ms is not None:
        said += f", waited {'about ' * step.across_clocks}{words.duration(step.wait_ms)}"
    if step.work_ms is not None:
        said += f", worked {words.duration(step.work_ms)}"
    if step.attempts > 1:
        said += f", {step.attempts} attempts"
    return said + (f", {step.state}" if step.state else "")


def _folded(times: int, hidden: int) -> Iterable[str]:
    if times > 1:
        yield f"stands for {times:,} that are alike, the first of them and the middle of their times"
    if hidden:
        yield f"folded: {words.count(hidden, 'later step is', 'later steps are')} not drawn"


def _related(steps: Steps, step: Step, causes: list[Step], effects: list[Step]) -> Iterable[str]:
    if step.kind == "blocked":
        return
    if step.kind == "ghost":
        yield f"owed after {_names(causes)}"
        return
    if step.kind != "unseen":
        yield f"caused by {_names(causes, 'nothing in this part of the flow' if steps.part else 'nothing')}"
    yield f"led to {_names([one for one in effects if one.kind not in {'ghost', 'blocked'}])}"
    for one in effects:
        if one.kind == "ghost":
            yield f"expected: {one.title} from {one.service}"


def _names(those: Iterable[Step], nothing: str = "nothing") -> str:
    counted = Counter(step.title for step in those)
    said = [title if times == 1 else f"{title} ({times:,} times)" for title, times in counted.items()]
    return _listed(said) or nothing


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join([*names[:MOST_NAMES], f"{more:,} more"] if more > 1 else names)
