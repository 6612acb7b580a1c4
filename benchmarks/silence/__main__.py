"""How often is the collector wrong about silence? `python -m benchmarks.silence [--list] [--small]`

Plays scenes of healthy and of faulty behaviour on virtual time, and compares what the collector says with
what happened. Exits 1 if a goal is missed.
"""

import argparse
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence

from benchmarks.silence.catalogue import BY_NAME, SCENES
from benchmarks.silence.playing import quiet
from benchmarks.silence.scoring import Score
from benchmarks.silence.staging import Scene, play
from benchmarks.silence.verdict_table import missed, printed


def main() -> int:
    """Play and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.silence",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--list", action="store_true", help="print the names of all scenes")
    parser.add_argument("--scenes", help="play only these, by name or the start of a name: dead,plain")
    parser.add_argument("--small", action="store_true", help="one run of each scene (the default)")
    parser.add_argument(
        "--healthy", type=int, default=0, help="repeat healthy scenes for so many flows in all"
    )
    parser.add_argument(
        "--faults", type=int, default=0, help="repeat faulty scenes for so many faults in all"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="how large the runs are")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=0, help="print so many wrong verdicts of each kind")
    given = parser.parse_args()
    quiet()
    wanted = chosen(given.scenes)
    if given.list:
        print("\n".join(f"{scene.name:<24} {scene.title}" for scene in wanted))
        return 0
    scores: dict[Scene, Score] = {}
    for scene, seed in turns(wanted, scores, given.healthy, given.faults, given.seed):
        began = time.perf_counter()
        one = play(scene, seed, given.scale)
        took = time.perf_counter() - began
        print(f"{scene.name} {seed}: {took:.1f} s", file=sys.stderr)
        scores.setdefault(scene, Score()).add(one)
    print("\n".join(printed(scores)))
    for scene, one in scores.items():
        for line in telling(one.wrong, given.show):
            print(f"\n{scene.name}: {line}")
    lines = missed(scores)
    print("\n" + "\n".join(lines or ["All goals are met."]))
    return int(bool(lines))


def chosen(names: str | None) -> Sequence[Scene]:
    """The scenes that *names* lists, separated by commas; all of them if there are none."""
    if not names:
        return SCENES
    found = [s for name in names.split(",") for s in ([BY_NAME[name]] if name in BY_NAME else _like(name))]
    return list(dict.fromkeys(found))


def _like(name: str) -> Sequence[Scene]:
    found = [scene for scene in SCENES if scene.name.startswith(name)]
    if not found:
        raise SystemExit(f"There is no scene {name!r}: --list names them.")
    return found


def telling(lines: Sequence[str], most: int) -> Iterator[str]:
    """The first *most* of each kind of wrong verdict: those that differ only in ids, numbers and times."""
    times: Counter[str] = Counter()
    for line in lines:
        kind = re.sub(r"[0-9a-f]{32}|C-\S+|\d[\d.]*( ms| s| min| h)?", "", line)
        times[kind] += 1
        if times[kind] <= most:
            yield line


def turns(
    wanted: Sequence[Scene], scores: dict[Scene, Score], healthy: int, faults: int, seed: int
) -> Iterator[tuple[Scene, int]]:
    """Which scene to play next, with which seed: each once, and then until there are enough flows."""
    while True:
        flows = sum(one.healthy for scene, one in scores.items() if not scene.faulty)
        found = sum(one.faults for scene, one in scores.items() if scene.faulty)
        some = [
            scene
            for scene in wanted
            if scene not in scores
            or (not scores[scene].unable and (found < faults if scene.faulty else flows < healthy))
        ]
        if not some:
            return
        yield from ((scene, seed) for scene in some)
        seed += 1


if __name__ == "__main__":
    sys.exit(main())
