"""Is stitching right on random sets of spans? `python -m benchmarks.chance [--sets 10000]`

Generates tangles (spans with arbitrary parents and links, with cycles, self-references, dangling references
and repeated ids) and stories (orders, joins, batches, lost spans) alternately, from numbered seeds. Each set
is stitched and compared with the reference, which looks at one span at a time. Then it is stitched again in
pieces, in another order and with some spans duplicated: the documents must be the same, byte for byte. Prints
what occurred, and the seeds that went wrong. The test suite runs a few hundred
(tests/test_stitching_properties.py).
"""

import argparse
import json
import sys
import time
from collections import Counter
from random import Random

import pyarrow as pa

from collector.stitching import Stitched, stitch
from tests import reference
from tests.documents import document
from tests.reference.columns import story_of
from tests.strategies import Row, keyings, story, table, tangle


def main() -> int:
    """Stitch, compare, print; return 1 if anything was wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", type=int, default=10_000)
    given = parser.parse_args()
    started = time.monotonic()
    met: Counter[str] = Counter()
    wrong: list[int] = []
    for seed in range(given.sets):
        random = Random(seed)
        rows = (tangle, story)[seed % 2](random)
        keying = keyings(random)
        stitched = stitch(table(rows), keying)
        told = story_of(stitched)
        again = stitch(in_pieces(rows, random), keying)
        if told != reference.stitch(rows, keying=keying) or written(again) != written(stitched):
            wrong.append(seed)
        met.update(f"edge because of {because}" for because in told.edges.values())
        met.update(f"note {kind}" for kind, _ in told.notes)
        met["span"] += len(rows)
        met["span aside"] += len(told.aside)
        met["flow"] += len(told.flows)
        met["span in several flows"] += sum(len(found) for _, found in told.flows) - len(
            {ref for _, found in told.flows for ref in found}
        )
    print(
        f"{given.sets:,} sets in {time.monotonic() - started:.0f} s, {len(wrong)} of them wrong {wrong[:20]}"
    )
    for what, times in sorted(met.items()):
        print(f"  {times:9,}  {what}")
    return 1 if wrong else 0


def in_pieces(rows: list[Row], random: Random) -> pa.Table:
    """*rows* in another order and in two pieces, some of them twice."""
    again = rows + [{**row, "received": row["received"] + 7} for row in rows if random.random() < 0.5]
    random.shuffle(again)
    cut = random.randint(0, len(again))
    return pa.concat_tables([table(again[:cut]), table(again[cut:])])


def written(stitched: Stitched) -> str:
    """The document as text, to be compared byte for byte."""
    return json.dumps(document(stitched))


if __name__ == "__main__":
    sys.exit(main())
