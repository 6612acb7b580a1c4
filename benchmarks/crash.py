"""Does an acknowledged span survive `kill -9`? `python -m benchmarks.crash [--rounds 20]`

The test suite runs three rounds of the same (tests/test_crash.py); this runs as many as you like.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.crashing import SPANS, kill_again_and_again, stored


def main() -> int:
    """Kill, count, print; return 1 if a span was lost or duplicated, or a start took five seconds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        toll = kill_again_and_again(Path(folder), given.rounds, load_s=2.0)
        found, total = stored(Path(folder), toll.acknowledged)
    sent = SPANS * len(toll.acknowledged)
    unanswered = SPANS * len(toll.unanswered)
    slowest = max(toll.ready_after_s)
    print(f"{given.rounds} kills: {sent:,} spans acknowledged, {found:,} of them found")
    print(
        f"{unanswered:,} had no answer and were sent again; in all {total:,}, expected {sent + unanswered:,}"
    )
    print(f"ready again after {slowest:.1f} s at worst")
    return 0 if (found, total) == (sent, sent + unanswered) and slowest < 5 else 1


if __name__ == "__main__":
    sys.exit(main())
