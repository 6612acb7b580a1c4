"""What becomes of a collector that is sent more than it can take? `python -m benchmarks.overload`

First, senders that wait for their answers show what it can take (its best goodput). Then a process of its
own, with a low priority, offers *--times* as much, on a timetable that waits for nobody, while a reader asks
`/api/v1/stuck` and `/healthz`. Refused requests are not sent again: what is measured is what the collector
does, not how patient its senders are. Last, it is seen how soon a lone request is answered as before.
`--memory-limit 1536` lets the kernel end a collector that takes more megabytes (root, and Linux's cgroups).

A figure, not a test: senders and collector share the processors.
"""

import argparse
import asyncio
import collections
import contextlib
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks.ingest import SPANS, Template, collector, load, memory, template

_CONNECTIONS = 200  # more requests at once than wait anywhere in a collector that keeps its promise
_LONGEST_S = 30.0
_WATCHED_S = 30.0
_NORMAL_S = 0.5  # a lone request is answered within it


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60, help="of overload; a third of it for the best")
    parser.add_argument("--times", type=float, default=3.0, help="how many times the best is offered")
    parser.add_argument("--offer", help=argparse.SUPPRESS)  # the process that offers: port,requests a second
    parser.add_argument("--memory-limit", type=int, metavar="MB", help="ended by the kernel beyond it")
    given = parser.parse_args()
    if given.offer:
        port, rate = given.offer.split(",")
        os.nice(5)
        print(json.dumps(asyncio.run(offered(int(port), float(rate), given.seconds))))
        return
    limited = group(given.memory_limit) if given.memory_limit else contextlib.nullcontext()
    with (
        limited as within,
        tempfile.TemporaryDirectory() as folder,
        collector(Path(folder), within) as (process, ports),
    ):
        http, api = ports["CHOREOSCOPE_HTTP_PORT"], ports["CHOREOSCOPE_API_PORT"]
        templates = [template(seed) for seed in range(16)]
        seconds = max(given.seconds / 3, 5)
        before = asyncio.run(load(http, templates, seconds))
        best = before / seconds
        print(f"best: {best:,.0f} spans/s from senders that wait, peak {memory(process.pid, 'VmHWM'):,} MB")
        command = [sys.executable, "-m", "benchmarks.overload", "--seconds", str(given.seconds)]
        command += ["--offer", f"{http},{given.times * best / SPANS}"]
        # Not a pipe: who writes more than it holds waits for the reader, who waits here for the writer's end.
        told = Path(folder) / "offered.json"
        with told.open("w") as output, subprocess.Popen(command, stdout=output) as offering:
            asked, own = asyncio.run(reading(api, offering, process.pid))
        found: dict[str, Any] = json.loads(told.read_text())
        print_offered(found, best, given.seconds)
        for path, took in asked.items():
            print(f"{path}: {shown(took)} in {len(took)} answers")
        normal = asyncio.run(back_to_normal(http, api, templates[0]))
        # What it can take falls with what it has stored: merges.
        sent = asyncio.run(load(http, templates, seconds / 2))
        print(f"best afterwards: {2 * sent / seconds:,.0f} spans/s from senders that wait")
        peak = memory(process.pid, "VmHWM")
        print(f"peak memory {peak:,} MB, {own:,} MB without the files it has mapped, back to normal {normal}")
        print_counters(api, before + sent + found["spans"] + SPANS * found["unknown"], found["unknown"])


@contextlib.contextmanager
def group(megabytes: int) -> Iterator[Path]:
    """A control group of processes that may have so many *megabytes* in all, and what they read of files."""
    old = Path("/sys/fs/cgroup/memory")
    root, limit = (old, "memory.limit_in_bytes") if old.is_dir() else (old.parent, "memory.max")
    made = root / f"choreoscope-{os.getpid()}"
    made.mkdir()
    try:
        (made / limit).write_text(str(megabytes * 2**20))
        yield made / "cgroup.procs"
    finally:
        made.rmdir()


async def offered(port: int, rate: float, seconds: float) -> dict[str, Any]:
    """Post *rate* requests a second, whatever becomes of them; return what became of them."""
    bodies = itertools.cycle([template(seed) for seed in range(100, 108)])
    random = np.random.Generator(np.random.SFC64(int(time.time())))
    statuses: collections.Counter[str] = collections.Counter()
    took: dict[str, list[float]] = {"200": [], "503": []}
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    waiting: set[asyncio.Task[None]] = set()

    async def post(body: bytes) -> None:
        asked = time.monotonic()
        try:
            async with asyncio.timeout(_LONGEST_S):
                line = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", port)
                status, stays = await answered(*line, body)
        except (OSError, EOFError, TimeoutError) as error:
            statuses[type(error).__name__] += 1
            return
        statuses[status] += 1
        took.setdefault(status, []).append(time.monotonic() - asked)
        idle.append(line) if stays else line[1].close()

    begun = time.monotonic()
    for number in itertools.count():
        if (now := time.monotonic()) > begun + seconds:
            break
        await asyncio.sleep(max(begun + number / rate - now, 0))
        if len(waiting) >= _CONNECTIONS:
            statuses["not sent: too many wait"] += 1
            continue
        task = asyncio.create_task(post(next(bodies).fresh(random)))
        waiting.add(task)
        task.add_done_callback(waiting.discard)
    while waiting:
        await asyncio.wait(waiting)
    sure = {"200", "503", "429", "not sent: too many wait"}
    unknown = sum(count for status, count in statuses.items() if status not in sure)
    return {"statuses": statuses, "took": took, "spans": SPANS * statuses["200"], "unknown": unknown}


async def answered(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes
) -> tuple[str, bool]:
    """Post *body*; return the status of the answer, and whether the connection stays open."""
    writer.write(
        b"POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-protobuf\r\n"
        b"content-length: %d\r\n\r\n" % len(body)
    )
    writer.write(body)
    await writer.drain()
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = re.search(rb"content-length: (\d+)", head)
    await reader.readexactly(int(length[1]) if length else 0)
    return head[9:12].decode(), b"connection: close" not in head


async def reading(
    api: int, offering: "subprocess.Popen[bytes]", pid: int
) -> tuple[dict[str, list[float]], int]:
    """Ask as a page does, until *offering* has ended.

    Return how long each answer took, and the most megabytes of its own that process *pid* had.
    """
    took: dict[str, list[float]] = {"/api/v1/stuck": [], "/healthz": []}
    own = 0
    async with httpx.AsyncClient(timeout=_LONGEST_S, trust_env=False) as client:
        while offering.poll() is None:
            for path, times in took.items():
                begun = time.monotonic()
                (await client.get(f"http://127.0.0.1:{api}{path}")).raise_for_status()
                times.append(time.monotonic() - begun)
            own = max(own, memory(pid, "RssAnon"))
            await asyncio.sleep(0.2)
    return took, own


async def back_to_normal(port: int, api: int, one: Template) -> str:
    """How long it takes until a lone request, and a question, are answered soon."""
    random = np.random.Generator(np.random.SFC64(1))
    begun = time.monotonic()
    async with httpx.AsyncClient(timeout=_LONGEST_S, trust_env=False) as client:
        while (asked := time.monotonic()) - begun < _WATCHED_S:
            headers = {"content-type": "application/x-protobuf"}
            url = f"http://127.0.0.1:{port}/v1/traces"
            answer = await client.post(url, content=one.fresh(random), headers=headers)
            await client.get(f"http://127.0.0.1:{api}/api/v1/stuck")
            if answer.status_code == 200 and time.monotonic() - asked < _NORMAL_S:
                return f"after {asked - begun:.1f} s"
            await asyncio.sleep(0.1)
    return f"not within {_WATCHED_S:g} s"


def print_offered(found: dict[str, Any], best: float, seconds: float) -> None:
    """Print what became of the requests that were offered."""
    statuses, took = found["statuses"], found["took"]
    goodput = found["spans"] / seconds
    print(f"offered: {SPANS * sum(statuses.values()) / seconds:,.0f} spans/s; {statuses}")
    print(f"accepted: {goodput:,.0f} spans/s, {100 * goodput / best:.0f} % of the best; {shown(took['200'])}")
    print(f"refused: {shown(took['503'])}")


def print_counters(api: int, sent: int, unknown: int) -> None:
    """Print whether the collector's counters add up, and to what was answered."""
    counted = httpx.get(f"http://127.0.0.1:{api}/api/v1/summary", trust_env=False).json()["spans"]
    whole = counted["received"] == counted["stored"] + counted["duplicate"] + counted["refused"]
    print(f"counters: {counted}, {'they add up' if whole else 'THEY DO NOT ADD UP'};", end=" ")
    lone = counted["stored"] - sent
    print(f"{lone:+,} to what was sent, of lone requests and of {unknown} without an answer")


def shown(took: list[float]) -> str:
    """Percentiles of *took*, seconds."""
    if not took:
        return "none"
    p50, p99 = np.percentile(took, [50, 99])
    return f"p50 {p50:.2f} s, p99 {p99:.2f} s, longest {max(took):.2f} s"


if __name__ == "__main__":
    main()
