"""Are verdicts right in the simulator's scenes of faults? A small form of `python -m benchmarks.silence`.

test_calm.py has its healthy scenes: the files run side by side.
"""

import pytest

from benchmarks.silence.staging import Scene
from tests.silent_runs import check, parameters


@pytest.mark.parametrize("scene", parameters(faulty=True))
def test_faults_are_found_with_their_cause_and_nothing_else_is(scene: Scene) -> None:
    """The worst thing that this product can say is "Nothing is stuck" during an outage."""
    check(scene)
