"""Does the collector keep its promises when everything goes wrong? Prints a table; half an hour by default.

    python -m benchmarks.torture [--minutes 30] [--seed N] [PART...]

The time is shared among the parts. A part that fails can be repeated alone, with the seed that is printed.
"""

import argparse
import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from benchmarks.torture import disks, fuzzing
from benchmarks.torture.outcomes import Outcome

Part = Callable[[float, int], Outcome]


def _program(words: Sequence[str], minutes: float, seed: int) -> Outcome:
    """Run a program that prints its own figures, the last of them on its last line."""
    given = [word.format(seed=seed, trials=max(20, int(minutes * 60))) for word in words]
    command = [sys.executable, "-m", *given]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).strip().splitlines() or ["it said nothing"]
    return Outcome(done.returncode == 0, lines[-1])


def _parts() -> Mapping[str, Part]:
    found: dict[str, Part] = {**disks.PARTS, **fuzzing.PARTS}
    programs = {
        "flips": ("benchmarks.torture.flips", "--trials", "{trials}", "--seed", "{seed}"),
        "schema-faults": ("benchmarks.torture.faults", "--every", "7"),
        "a-day": ("benchmarks.silence", "--healthy", "2000", "--faults", "200"),
    }
    for name, (module, *words) in programs.items():
        if importlib.util.find_spec(module) is not None:
            found[name] = partial(_program, (module, *words))
    return found


def main() -> int:
    """Run the parts; return 1 if one of them found something."""
    parts = _parts()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", nargs="*", help=f"of: {', '.join(parts)}")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    if unknown := [name for name in given.part if name not in parts]:
        parser.error(f"there is no part {unknown[0]!r}: expected {', '.join(parts)}")
    chosen = given.part or list(parts)
    print(f"seed {given.seed}, {given.minutes:g} minutes for {len(chosen)} parts", flush=True)
    failed = []
    for name in chosen:
        started = time.monotonic()
        try:
            outcome = parts[name](given.minutes / len(chosen), given.seed)
        except Exception as error:  # a part that cannot go on must not hide what the others find
            outcome = Outcome(False, f"{type(error).__name__}: {error}")
        took = time.monotonic() - started
        print(f"{'well' if outcome.well else 'WRONG':5}  {name:14} {took:6.0f} s  {outcome.said}", flush=True)
        failed += [] if outcome.well else [name]
    if failed:
        print(f"again: python -m benchmarks.torture --seed {given.seed} {' '.join(failed)}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
