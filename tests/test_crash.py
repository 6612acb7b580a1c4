"""Is an acknowledged span on disk? Killing the process at any moment loses none and doubles none."""

from pathlib import Path

from tests.crashing import SPANS, kill_again_and_again, stored


def test_no_kill_loses_or_doubles_an_acknowledged_span(tmp_path: Path) -> None:
    toll = kill_again_and_again(tmp_path, rounds=3, load_s=0.7, least=4)

    found, total = stored(tmp_path, toll.acknowledged)

    assert len(toll.acknowledged) > 10
    assert toll.unanswered
    assert found == SPANS * len(toll.acknowledged)
    assert total == SPANS * len(toll.acknowledged + toll.unanswered)
    # The goal is five seconds, which benchmarks/crash.py checks; here, a busy machine must not fail the test.
    assert max(toll.ready_after_s) < 40
