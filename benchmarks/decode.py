"""What does it cost to decode a span of protobuf? `python -m benchmarks.decode [--rounds 15]`

Groups of about 8,192 spans of `benchmarks.ingest`, in bodies of different sizes, decoded by turns: by
protobuf and `ptars`, as where there is no compiler, and by the scanner. Printed are medians of this
thread's time on a processor, and how much of it the scanner's own two walks take.
"""

import argparse
import statistics
import time
from collections.abc import Sequence

import numpy as np

from benchmarks import ingest
from collector.formats.otlp import Body, Encoding, decode, scanning

_SIZES = (1, 10, 100, 512, 8_192)
_GROUP = 8_192


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    scanning.prepare()
    ready, walked = scanning.ready(), [0.0]
    if ready is None:
        raise SystemExit("There is no compiler here: expected numba to be installed.")

    def timed(*arguments: object) -> None:
        started = time.thread_time()
        ready(*arguments)
        walked[0] += time.thread_time() - started

    print("| spans a body | ptars, us a span | scanner | of which its walks | times |")
    print("|---|---|---|---|---|")
    for size in _SIZES:
        group = bodies(size)
        rounds = []
        for _ in range(given.rounds):
            scanning.ready = lambda: None
            old = took(group)
            walked[0], scanning.ready = 0.0, lambda: timed
            rounds.append((old, took(group), walked[0] / _GROUP * 1e6))
        old, new, walks = map(statistics.median, zip(*rounds, strict=True))
        print(f"| {size:,} | {old:.2f} | {new:.2f} | {walks:.2f} | {old / new:.1f} |")


def bodies(size: int) -> list[Body]:
    """A group of bodies of *size* spans."""
    spans, ingest.SPANS = ingest.SPANS, size
    try:
        one = ingest.template(1)
    finally:
        ingest.SPANS = spans
    one.order = 1  # each span its own order, so that any number of them fits
    random = np.random.Generator(np.random.SFC64(1))
    return [Body(one.fresh(random), Encoding.PROTOBUF) for _ in range(_GROUP // size)]


def took(group: Sequence[Body]) -> float:
    """Microseconds a span."""
    started = time.thread_time()
    decoded = decode(group, 1)
    spans: int = decoded.spans.num_rows
    return (time.thread_time() - started) / spans * 1e6


if __name__ == "__main__":
    main()
