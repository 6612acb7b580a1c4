"""The pure functions of the front end, tested by Node; and ages have the words of durations."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from dashboard import words
from dashboard.drawing.component import FRONTEND
from tests.dashboard.nodejs import node

HERE = Path(__file__).parent / "frontend"
SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000


@pytest.mark.parametrize("path", sorted(HERE.glob("*.test.mjs")), ids=lambda path: path.name)
def test_functions(path: Path) -> None:
    ran = subprocess.run([node(), "--test", path], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout


def test_ages_are_said_as_durations_are() -> None:
    """One page shows both: Python says how long a step took, the browser how long ago it was."""
    ages = [30 * SECOND, 59_999, MINUTE, 14 * MINUTE, 59.9 * MINUTE, 125 * MINUTE, 9.5 * HOUR, 30 * HOUR]
    ages += [47.9 * HOUR, 48 * HOUR, 72 * HOUR]
    ask = f"""
      import {{ age }} from {json.dumps((FRONTEND / "ages.js").as_uri())};
      console.log(JSON.stringify({json.dumps(ages)}.map(age)));
    """

    said = subprocess.run(
        [node(), "--input-type=module", "--eval", ask], capture_output=True, text=True, check=True
    ).stdout

    assert json.loads(said) == [words.duration(ms) for ms in ages]
