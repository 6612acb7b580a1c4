"""What does one flow of a million spans cost everything else? `python -m benchmarks.big_flow [--form star]`

It is sent to a collector, which sets it aside. Then others send and ask: first alone, then while somebody
asks for that flow again and again, and somebody else asks and leaves. Prints how long the first answer takes,
the memory of the collector and of its process for large questions, how long others wait, and how much is
ingested with it and without it. What the machine's other work costs is in all of them.
"""

import argparse
import asyncio
import contextlib
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import numpy as np

from benchmarks.ingest import SPANS, Template, collector, exchange, memory, template
from benchmarks.one_flow import FORMS, requests_of

PATHS = ("/healthz", "/api/v1/summary", "/api/v1/stuck?limit=100")
PAUSE_S = 0.05  # between the questions of one asker


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--form", choices=FORMS, default="chain")
    parser.add_argument("--seconds", type=float, default=20, help="of each of the two phases")
    parser.add_argument("--rate", type=int, default=20_000, help="spans a second that others send")
    given = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    templates = [template(seed) for seed in range(4)]
    with tempfile.TemporaryDirectory() as folder, collector(Path(folder)) as (process, ports):
        port = ports["CHOREOSCOPE_HTTP_PORT"]
        base = f"http://127.0.0.1:{ports['CHOREOSCOPE_API_PORT']}"
        began = time.monotonic()
        asyncio.run(send(port, given.spans, given.form))
        print(f"{given.spans:,} spans of one trace ({given.form}) taken in {time.monotonic() - began:.1f} s")
        wait_until_set_aside(base)
        before = memory(process.pid, "VmRSS")
        for name, asking in (("alone", False), ("beside it", True)):
            waits: dict[str, list[float]] = {path: [] for path in PATHS}
            answers: list[float] = []
            with asked(base, waits, answers if asking else None):
                sent, took = asyncio.run(load(port, templates, given.seconds, given.rate))
            told = ", ".join(f"{path.partition('?')[0]} {p99(some):.0f} ms" for path, some in waits.items())
            print(f"{name}: {sent / took:,.0f} spans/s of {given.rate:,} offered; p99 of {told}")
            if asking:
                middle = statistics.median(answers)
                first, count = answers[0], len(answers)
                print(f"the flow: first answer after {first:.1f} s, median {middle:.1f} s of {count}")
        apart = [memory(pid, "VmHWM") for pid in children(process.pid)]
        print(
            f"memory: collector {before:,} MB before, {memory(process.pid, 'VmRSS'):,} after,"
            f" peak {memory(process.pid, 'VmHWM'):,}; process for large questions, peak {apart} MB"
        )


async def send(port: int, count: int, form: str) -> None:
    """Send the flow, as four exporters would."""
    bodies = requests_of(count, form, at=time.time_ns() - 10**10)  # type: ignore[arg-type]

    async def exporter() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for body in bodies:
            await exchange(reader, writer, body)
        writer.close()

    await asyncio.gather(*(exporter() for _ in range(4)))


async def load(port: int, templates: Sequence[Template], seconds: float, rate: int) -> tuple[int, float]:
    """Send spans of small flows, *rate* a second, for *seconds*; return how many, and in what time."""
    began = time.monotonic()
    pause = SPANS * len(templates) / rate

    async def exporter(one: Template, number: int) -> int:
        random = np.random.Generator(np.random.SFC64(time.time_ns() + number))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        due = began + pause * number / len(templates)
        sent = 0
        while (now := time.monotonic()) < began + seconds:
            await asyncio.sleep(max(due - now, 0))
            await exchange(reader, writer, one.fresh(random))
            sent += SPANS
            due = max(due + pause, time.monotonic() - 1)  # what was missed is not made up for
        writer.close()
        return sent

    counts = await asyncio.gather(*(exporter(one, number) for number, one in enumerate(templates)))
    return sum(counts), time.monotonic() - began


@contextlib.contextmanager
def asked(base: str, waits: dict[str, list[float]], answers: list[float] | None) -> Iterator[None]:
    """Meanwhile, askers note how many milliseconds they wait; with *answers*, for the large flow too (s)."""
    stop = threading.Event()

    def asker(path: str) -> None:
        with httpx.Client(base_url=base, timeout=60) as client:
            while not stop.wait(PAUSE_S):
                began = time.perf_counter()
                client.get(path).raise_for_status()
                waits[path].append((time.perf_counter() - began) * 1e3)

    def large() -> None:
        assert answers is not None
        with httpx.Client(base_url=base, timeout=60) as client:
            while not stop.is_set():
                began = time.perf_counter()
                answer = client.get("/api/v1/flows/BIG").raise_for_status().json()
                answers.append(time.perf_counter() - began)
                assert answer["shown"] <= 5_000 < answer["spans"]

    def leaving() -> None:
        while not stop.wait(1):
            with contextlib.suppress(httpx.ReadTimeout):
                httpx.get(f"{base}/api/v1/flows/BIG?order=oldest", timeout=httpx.Timeout(5, read=0.3))

    threads = [threading.Thread(target=asker, args=(path,)) for path in waits]
    if answers is not None:
        threads += [threading.Thread(target=large), threading.Thread(target=leaving)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def wait_until_set_aside(base: str) -> None:
    """Return once the live part has seen that the flow is too large."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        answer = httpx.get(f"{base}/api/v1/why/BIG", timeout=60)
        if answer.is_success and answer.json()["set_aside"]:
            return
        time.sleep(0.5)
    raise SystemExit("the flow was not set aside within two minutes")


def p99(waits: Sequence[float]) -> float:
    """What one in a hundred waits longer than."""
    return float(np.percentile(waits, 99))


def children(pid: int) -> list[int]:
    """The processes that *pid* has started."""
    text = "".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return [int(child) for child in text.split()]


if __name__ == "__main__":
    main()
