"""Is every flipped bit in a data folder detected, or harmless?

    python -m benchmarks.torture.flips --trials 2000 --seed 1

Each trial flips one random bit of a copy of a folder, and opens it as the collector does. Before damage is
reported, no answer may differ from what it was: it is right, or an error. After the full check, every
question is answered again, with no more rows missing than were reported. Starting may never fail.
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa

from collector.model.decisions import Decision
from collector.model.flows import State
from collector.store.contracts import OpenError, OpenStore, Search, StoreError
from collector.store.open import open_store
from tests.factories import NOW, SECOND, request, span, table, trace_id
from tests.stores.contract import flows, put

_MEMORY = 512 * 1024 * 1024
_FEW, _MANY = 200, 100_000  # spans of a small part, and of one so large that each column has its own files
_PATIENCE_S = 120


@dataclass(frozen=True)
class Trial:
    """What one flipped bit did."""

    file: str
    bit: int
    outcome: str  # detected, harmless, or what went wrong
    said: str = ""

    @property
    def is_well(self) -> bool:
        """Whether the flip was detected, or changed nothing."""
        return self.outcome in ("detected", "harmless")


def fill(folder: Path, large: int = _MANY) -> dict[str, Any]:
    """Fill a new *folder* with something in every table, in small parts and one of *large* spans."""
    store = open_store(folder, _MEMORY)
    stores = store.stores()
    for number in range(3):
        stores.spans.write(
            table(request(*(span(id=f"{number}.{one}", trace=f"t{number}.{one}") for one in range(_FEW))))
        )
    if large:
        stores.spans.write(_large(large))
    for name in ("A-1", "A-2", "A-3"):
        put(stores.flows, flows(name), State.DONE)
    stores.flows.refuse(["tenant"])
    stores.flows.offer(np.arange(300, dtype=np.uint64), pa.array([trace_id("t0.0")] * 300, pa.binary(16)))
    stores.decisions.write(Decision(NOW, "keep", "OrderPlaced", "payment", "me", "because"))
    # Retention removes rows like this, which leaves a file of its own.
    stores.spans._database.execute(  # type: ignore[attr-defined]
        "ALTER TABLE message_ids DELETE WHERE id = 7 SETTINGS mutations_sync = 2"
    )
    store.close()
    return {}


def _large(rows: int) -> pa.Table:
    """Spans whose ids differ, as one table."""
    some = table(request(*(span(id=f"l.{one}", trace=f"l.{one}") for one in range(1_000))))
    large = pa.concat_tables([some] * -(-rows // 1_000)).slice(0, rows)
    numbers = np.arange(rows, dtype=">u8")
    ids = pa.FixedSizeBinaryArray.from_buffers(pa.binary(8), rows, [None, pa.py_buffer(numbers.tobytes())])
    traces = np.stack([numbers, numbers], axis=1).tobytes()
    trace_ids = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), rows, [None, pa.py_buffer(traces)])
    arrivals = pa.array(np.uint64(NOW + 60 * SECOND) + np.arange(rows, dtype=np.uint64) * np.uint64(1_000))
    columns = {"span_id": ids, "trace_id": trace_ids, "received_unix_nano": arrivals}
    for name, values in columns.items():
        large = large.set_column(large.schema.get_field_index(name), large.schema.field(name), values)
    return large


def answers(store: OpenStore) -> dict[str, Any]:
    """What each kind of question is answered: a value, or 'error: ...'."""
    stores = store.stores()
    spans = stores.spans
    database = spans._database  # type: ignore[attr-defined]  # what no method of a store says
    asked: dict[str, Callable[[], Any]] = {
        "count": spans.span_count,
        "rows": lambda: list(database.query("SELECT count() AS n FROM spans")["n"].to_pylist()),
        "since": lambda: _digest(spans.spans_since(0, 10**9)),
        "late": lambda: _digest(spans.spans_since(NOW + 60 * SECOND + 10_000_000, 100)),
        "newest": lambda: spans.arrival_of_newest(1_000, 0),
        "traces": lambda: _digest(
            spans.spans_of([trace_id("t0.7"), trace_id("t1.9"), trace_id("t2.199"), (b"\0" * 7 + b"\7") * 2])
        ),
        "ids": lambda: _digest(spans.ids_since(0, 10**9)),
        "flows": lambda: _digest(stores.flows.found(Search(), 100)),
        "counts": lambda: stores.flows.counts(Search()),
        "named": lambda: _digest(stores.flows.named("A-2")),
        "refused": lambda: sorted(stores.flows.refused_keys()),
        "offered": lambda: len(stores.flows.offering(np.arange(300, dtype=np.uint64))),
        "decisions": lambda: [one.reason for one in stores.decisions.all()],
        "secret": lambda: [str(store.secret.ids), store.secret.texts],
    }
    found = {}
    for name, ask in asked.items():
        try:
            found[name] = ask()
        except StoreError as error:
            found[name] = f"error: {error}"
    return cast("dict[str, Any]", json.loads(json.dumps(found)))


def _digest(rows: pa.Table) -> list[Any]:
    """A hash of *rows* that does not depend on their order."""
    text = _columns(rows) if rows.num_rows > 5_000 else "\n".join(sorted(map(repr, rows.to_pylist())))
    return [rows.num_rows, hashlib.blake2b(text.encode(), digest_size=8).hexdigest()]


def _columns(rows: pa.Table) -> str:
    """A hash of a large table of spans."""
    ordered = rows.sort_by([("trace_id", "ascending"), ("span_id", "ascending")])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, ordered.schema) as stream:
        stream.write_table(ordered.combine_chunks())
    return hashlib.blake2b(sink.getvalue()).hexdigest()


def trials(folder: Path, workspace: Path, count: int, seed: int, only: str = "") -> Iterator[Trial]:
    """Flip *count* bits, one at a time, each in a copy of *folder*; the kinds of files take turns."""
    asked = shutil.copytree(folder, workspace / "asked", symlinks=True)
    expected = in_a_child(lambda: _opened(asked, answers))
    chance = random.Random(seed)
    kinds: dict[str, list[Path]] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size):
        if only in path.name:
            kinds.setdefault(_kind(path), []).append(path)
    names = sorted(kinds)
    for number in range(count):
        chosen = chance.choice(kinds[names[number % len(names)]])
        bit = chance.randrange(chosen.stat().st_size * 8)
        copy = workspace / "flipped"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy, symlinks=True, copy_function=os.link)
        aim = copy / chosen.relative_to(folder)
        content = bytearray(chosen.read_bytes())
        content[bit // 8] ^= 1 << bit % 8
        aim.unlink()
        aim.write_bytes(content)
        outcome, said = _judged(in_a_child(lambda: _tried(copy)), expected)  # noqa: B023  # called at once
        yield Trial(str(chosen.relative_to(folder)), bit, outcome, said)


def _kind(path: Path) -> str:
    """One kind of file: the name, with the columns' names left out."""
    return path.name if path.suffix in (".txt", ".json", ".sql") else path.suffix or path.name


def _tried(folder: Path) -> dict[str, Any]:
    """What happens when *folder* is opened, asked, checked and asked again."""
    try:
        store = open_store(folder, _MEMORY)
    except (OpenError, StoreError) as error:
        return {"refused": str(error)}
    assert store.care is not None
    at_start = store.care.check(full=False)
    first = answers(store)
    found = store.care.check(full=True)
    second = answers(store)
    return {
        "at_start": len(at_start),
        "first": first,
        "found": [[one.table, one.part, one.rows, one.reason] for one in found],
        "second": second,
    }


def _judged(tried: dict[str, Any], expected: dict[str, Any]) -> tuple[str, str]:
    if "crashed" in tried or "refused" in tried:
        return "refused to start", str(tried)
    found = tried["found"]
    for name, right in expected.items():
        first, second = tried["first"][name], tried["second"][name]
        if first != right and not str(first).startswith("error: ") and not tried["at_start"]:
            return "a wrong answer before it was detected", f"{name}: {first} {found}"
        if str(second).startswith("error: "):
            return "a question that stays unanswered", f"{name}: {second} {found}"
        if second != right and not found:
            return "undetected", f"{name}: {second}"
    missing = expected["rows"][0] - tried["second"]["rows"][0]
    reported = [rows for table, _, rows, _ in found if table == "spans"]
    if None not in reported and missing > sum(reported):
        return "more lost than reported", f"{missing} {found}"
    return ("detected" if found else "harmless"), str(found)


def _opened(folder: Path, ask: Callable[[OpenStore], dict[str, Any]]) -> dict[str, Any]:
    store = open_store(folder, _MEMORY)
    found = ask(store)
    store.close()
    return found


def in_a_child(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What *work* returns in a process of its own: each can have one engine, and a crash must not end all."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 2)
        try:
            text = json.dumps(work())
        except BaseException as error:  # the parent says so
            text = json.dumps({"crashed": f"{type(error).__name__}: {error}"})
        with os.fdopen(writing, "w") as pipe:
            pipe.write(text)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    found: dict[str, Any] = json.loads(text) if text else {"crashed": f"status {status}"}
    return found


def main() -> int:
    """Run the trials, print what happened, and return 1 if any flip was neither detected nor harmless."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--large", type=int, default=_MANY, help="spans in the large part; 0: none")
    parser.add_argument("--only", default="", help="only files with this in their name")
    chosen = parser.parse_args()
    started = time.monotonic()
    outcomes: Counter[str] = Counter()
    kinds: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as workspace:
        folder = Path(workspace) / "data"
        in_a_child(lambda: fill(folder, chosen.large))
        # Whoever has seen enough still learns what was seen.
        with contextlib.suppress(KeyboardInterrupt):
            for one in trials(folder, Path(workspace), chosen.trials, chosen.seed, chosen.only):
                outcomes[one.outcome] += 1
                kinds.setdefault(_kind(Path(one.file)), Counter())[one.outcome] += 1
                if not one.is_well:
                    print(f"{one.file} bit {one.bit}: {one.outcome}: {one.said[:600]}", flush=True)
    for kind, counted in sorted(kinds.items()):
        print(f"{kind:40} {dict(counted)}")
    took = time.monotonic() - started
    print(f"seed {chosen.seed}: {outcomes.total()} flips in {took:.0f} s: {dict(outcomes)}")
    return int(any(outcome not in ("detected", "harmless") for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
