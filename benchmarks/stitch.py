"""How fast do spans become flows? `python benchmarks/stitch.py [--spans 1000000] [--ratio]`

From the span table to messages, reactions, edges and flows, in one thread:

- orders: flows of 10 spans, one trace each, shuffled; a tenth of the consumers have links, half of those
  are batches that two orders share;
- chain, star and tree: one trace that is as long as possible, as wide as possible, or random;
- `--ratio`: how much longer four times as many spans take; linear is 4.

Spans/s refer to processor time, so that other programs on the machine matter as little as possible. Each case
runs in a separate process, so that the memory figures are its own: with only the spans loaded, and at the
peak of stitching. Figures, not tests.
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector import conventions
from collector.allocator import keep
from collector.model.spans import SPANS, Kind, ValueType
from collector.stitching import stitch

Ints = npt.NDArray[np.int64]

CLEAR = Path("/proc/self/clear_refs")  # Linux
START = 1_795_000_000_000_000_000
MS = 10**6
FLOW = 10  # spans of an order

# An order: (name, kind, service, parent, operation).
STEPS: Sequence[tuple[str, Kind, str, int, str | None]] = (
    ("place order", Kind.SERVER, "order", -1, None),
    ("send order.placed", Kind.PRODUCER, "order", 0, "send"),
    ("process order.placed", Kind.CONSUMER, "inventory", 1, "process"),
    ("send stock.reserved", Kind.PRODUCER, "inventory", 2, "send"),
    ("process stock.reserved", Kind.CONSUMER, "payment", 3, "process"),
    ("charge card", Kind.CLIENT, "payment", 4, None),
    ("send payment.captured", Kind.PRODUCER, "payment", 4, "send"),
    ("process payment.captured", Kind.CONSUMER, "shipping", 6, "process"),
    ("send order.shipped", Kind.PRODUCER, "shipping", 7, "send"),
    ("process order.shipped", Kind.CONSUMER, "warehouse", 8, "process"),
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--ratio", action="store_true", help="also four times as many spans")
    parser.add_argument("--times", type=int, default=3, help="runs of each, the fastest counts")
    given = parser.parse_args()
    took = measured("orders", orders, given.spans, given.times)
    measured("chain", chain, given.spans, given.times)
    measured("star", star, given.spans, given.times)
    measured("tree", tree, given.spans, given.times)
    if given.ratio:
        longer = measured("orders", orders, 4 * given.spans, given.times)
        print(f"four times the spans take {longer / took:.1f} times as long")


def measured(name: str, make: Callable[[int], pa.Table], spans: int, times: int) -> float:
    """Stitch *spans* spans built by *make*, print the figures, return the seconds of the fastest run."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "spans.arrow"
        alone(write, make, spans, file)
        figures: Figures = alone(run, file, times)
    print(
        f"{name:>6} {spans:>10,} spans {spans / figures.seconds:>10,.0f} spans/s"
        f"  {figures.seconds:6.2f} s, {figures.reading:.2f} s of it to read the conventions"
        f"  {figures.flows:>8,} flows"
        f"  peak {figures.peak:,} MB, {figures.before:,} MB of it the program and the spans",
        flush=True,
    )
    return figures.seconds


def alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """What *function* returns, called in a separate process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def write(make: Callable[[int], pa.Table], spans: int, file: Path) -> None:
    """Write *spans* spans built by *make* to *file*: building them takes memory that must not be measured."""
    table = make(spans)
    with pa.ipc.new_file(file, table.schema) as out:
        out.write_table(table)


@dataclass(frozen=True)
class Figures:
    """Figures of the fastest run: seconds of processor time, and memory in MB."""

    seconds: float
    reading: float
    flows: int
    before: int
    peak: int


def run(file: Path, times: int) -> Figures:
    """Stitch the spans of *file* *times* times."""
    pa.set_cpu_count(1)
    keep()  # as the command does
    with pa.OSFile(str(file)) as source:
        table = pa.ipc.open_file(source).read_all()
    before = memory("VmRSS")
    CLEAR.write_text("5")
    seconds, reading, flows = min(timed(table) for _ in range(times))
    return Figures(seconds, reading, flows, before, memory("VmHWM"))


def timed(table: pa.Table) -> tuple[float, float, int]:
    """One run: (seconds of processor time, seconds of it spent on reading the conventions, flows)."""
    started = time.process_time()
    readings = conventions.read(table)
    read = time.process_time()
    flows = stitch(readings).flows.count
    return time.process_time() - started, read - started, flows


def memory(field: str) -> int:
    """A field of this process's memory status, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith(field)).split()[1]) // 1024


def orders(spans: int) -> pa.Table:
    """Flows of ten spans, shuffled."""
    flows = spans // FLOW
    rows = np.arange(flows * FLOW)
    flow, step = rows // FLOW, rows % FLOW
    above = np.array([parent for _, _, _, parent, _ in STEPS])[step]
    consumers = np.flatnonzero(np.isin(step, (2, 4, 7, 9)))
    linked = consumers[:: FLOW + 1][: len(consumers) // 10]
    alone, batch = linked[::2], linked[1::2]
    last = rows[-1] + 1
    owner = np.concatenate([alone, batch, batch])
    target = np.concatenate([alone - 1, batch - 1, (batch - 1 + FLOW) % last])
    parent = np.where(above < 0, -1, flow * FLOW + above)
    shuffled = np.random.default_rng(1).permutation(len(rows))
    return span_table(flow, parent, step, (owner, target)).take(pa.array(shuffled))


def chain(spans: int) -> pa.Table:
    """One trace: each span is the parent of the next; messages and reactions alternate."""
    rows = np.arange(spans)
    return span_table(rows * 0, rows - 1, 1 + rows % 2, (rows[:0], rows[:0]))


def star(spans: int) -> pa.Table:
    """One trace: one message, and all other spans react to it."""
    rows = np.arange(spans)
    return span_table(rows * 0, np.where(rows, 0, -1), np.where(rows, 2, 1), (rows[:0], rows[:0]))


def tree(spans: int) -> pa.Table:
    """One trace: each span's parent is a random earlier span; messages, reactions and internal work."""
    rows, random = np.arange(spans), np.random.default_rng(1)
    parent = np.where(rows, (random.random(spans) * rows).astype(np.int64), -1)
    step = random.choice(np.array([1, 2, 5]), spans)
    return span_table(rows * 0, parent, step, (rows[:0], rows[:0]))


def span_table(trace: Ints, parent: Ints, step: Ints, links: tuple[Ints, Ints]) -> pa.Table:
    """SPANS, with each row at the given *step* of an order; *links* are (owner, target) pairs of rows."""
    count = len(trace)
    trace_ids, span_ids = fixed(trace, 16), fixed(np.arange(count), 8)
    nobody = pa.array([bytes(8)], pa.binary(8))
    parents = pa.concat_arrays([span_ids, nobody]).take(pa.array(np.where(parent < 0, count, parent)))
    keys, types, values = attributes(trace, step)
    owner, target = (side[np.argsort(links[0], kind="stable")] for side in links)
    bounds = pa.array(np.searchsorted(owner, np.arange(count + 1)).astype(np.int32))
    start = START + np.arange(count) * MS // FLOW
    columns = {
        "trace_id": trace_ids,
        "span_id": span_ids,
        "parent_span_id": parents,
        "name": picked([name for name, *_ in STEPS], step),
        "kind": np.array([kind for _, kind, *_ in STEPS], np.uint8)[step],
        "start_unix_nano": start.astype(np.uint64),
        "end_unix_nano": (start + MS).astype(np.uint64),
        "service": picked([service for _, _, service, _, _ in STEPS], step),
        "attribute_keys": keys,
        "attribute_types": types,
        "attribute_values": values,
        "link_trace_ids": pa.ListArray.from_arrays(bounds, trace_ids.take(pa.array(target))),
        "link_span_ids": pa.ListArray.from_arrays(bounds, span_ids.take(pa.array(target))),
        "link_attributes": no_links_attributes(bounds),
        "events": pa.ListArray.from_arrays(
            pa.array(np.zeros(count + 1, np.int32)), pa.array([], pa.binary())
        ),
        "received_unix_nano": (start + 2 * MS).astype(np.uint64),
    }
    for field in SPANS:
        if field.name not in columns:
            zero = 0 if pa.types.is_integer(field.type) else b"" if field.type == pa.binary() else ""
            columns[field.name] = pa.repeat(pa.scalar(zero, field.type), count)
    return pa.table([columns[name] for name in SPANS.names], schema=SPANS)


def attributes(trace: Ints, step: Ints) -> tuple[pa.Array, pa.Array, pa.Array]:
    """The attributes of each span: seven on messaging spans, three on the others."""
    said: list[list[tuple[str, str]]] = []
    for name, _, _, _, operation in STEPS:
        common = [("code.function.name", name), ("thread.name", "MainThread")]
        if operation is not None:
            common += [
                ("messaging.system", "nats"),
                ("messaging.operation.type", operation),
                ("messaging.destination.name", name.split()[-1]),
                ("messaging.nats.stream", "ORDERS"),
            ]
        said.append([*common, ("order.id", "")])
    first = np.cumsum([0, *map(len, said)])
    pool = [pair for pairs in said for pair in pairs]
    counts = np.array([len(pairs) for pairs in said])[step]
    ends = np.cumsum(counts)
    place = np.arange(ends[-1]) - np.repeat(ends - counts, counts) + np.repeat(first[step], counts)
    order_ids = pa.array([f"A-{number}" for number in range(int(trace.max()) + 1)], pa.string())
    literal = pa.array([value for _, value in pool], pa.string())
    is_order = np.array([key == "order.id" for key, _ in pool])[place]
    value = np.where(is_order, len(pool) + np.repeat(trace, counts), place)
    bounds = pa.array(np.append(0, ends).astype(np.int32))
    return (
        pa.ListArray.from_arrays(bounds, picked([key for key, _ in pool], place)),
        pa.ListArray.from_arrays(bounds, pa.array(np.full(len(place), int(ValueType.STRING), np.uint8))),
        pa.ListArray.from_arrays(
            bounds, pa.concat_arrays([literal, order_ids]).take(pa.array(value)).cast(pa.binary())
        ),
    )


def picked(texts: Sequence[str], places: Ints) -> pa.Array:
    """The text at each of *places*."""
    return pa.array(texts, pa.string()).take(pa.array(places))


def no_links_attributes(bounds: pa.Array) -> pa.Array:
    """An empty list of attributes for each link."""
    nothing = pa.array([], pa.binary())
    each = pa.ListArray.from_arrays(pa.array(np.zeros(bounds[-1].as_py() + 1, np.int32)), nothing)
    return pa.ListArray.from_arrays(bounds, each)


def fixed(numbers: Ints, width: int) -> pa.Array:
    """An id of *width* bytes for each number, never zero, and as evenly spread as random ids."""
    words = np.repeat((numbers.astype(np.uint64) + np.uint64(1))[:, None], width // 8, axis=1)
    words *= np.uint64(0x9E3779B97F4A7C15)
    return pa.Array.from_buffers(pa.binary(width), len(numbers), [None, pa.py_buffer(words.tobytes())])


if __name__ == "__main__":
    main()
