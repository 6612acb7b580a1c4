"""Runs of the simulator that are small enough for the suite."""

from collections.abc import Sequence

import pytest
from _pytest.mark import ParameterSet

from benchmarks.silence.catalogue import SCENES
from benchmarks.silence.staging import Scene, play
from benchmarks.silence.verdict_table import missed

_SEED = 1
_SCALE = 0.25
# Seconds between two ticks: fewer take less time, and a verdict may come a little later. What is said of
# healthy flows may be taken back soon, so there are more of them.
_FAULTY_S, _HEALTHY_S = 8.0, 4.0
# What they are about is found with more ticks only.
_FINE = {"collapse-30": 1.0, "dead-letters": 4.0, "replay-outage": 4.0, "unheard-last": 1.0, "variant": 4.0}
# What needs more than some dozens of flows to be known: shares, and waits that are longer than a flow's rest.
_LARGE = {
    "batch-dead",
    "collapse-30",
    "dead-letters",
    "human-silent",
    "not-taken-100",
    "starved-outside",
    "stop-2-after",
    "timer-dead",
    "unheard-last",
}
# They take longest, and have a sibling that asks the same with a shorter outage or fewer flows.
_LONG = {"killed-letters", "not-taken-5", "stop-600-after", "stop-600-before", "timer-silent"}


def parameters(*, faulty: bool) -> Sequence[ParameterSet]:
    """The scenes, faulty or healthy."""
    chosen = [scene for scene in SCENES if scene.faulty == faulty and scene.name not in _LONG]
    return [pytest.param(scene, id=scene.name) for scene in chosen]


def check(scene: Scene) -> None:
    """Play *scene* once, and compare the verdicts with what happened."""
    scale = 1.0 if scene.name in _LARGE else _SCALE
    usual = _FAULTY_S if scene.faulty else _HEALTHY_S
    score = play(scene, _SEED, scale, _FINE.get(scene.name, usual))
    if score.unable:
        pytest.skip(score.unable)
    assert bool(score.faults) == scene.faulty
    assert missed({scene: score}) == [], "\n".join(score.wrong[:10])
