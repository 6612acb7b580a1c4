"""How long does a person wait for an answer? `python -m benchmarks.reads [--millions 10] [--folder FOLDER]`

A collector takes in so many million spans of eight businesses with five services each; one order in fifty
stops, or in as many as --stopping says. Then every question of the pages is asked again and again, while
nothing else is done; again while three readers ask at once and spans come in as fast as they are taken; and
once more right after a restart. With --folder the store stays, and a later run only asks: copy it (with its
links, `cp -a`) to compare two commits.
"""

import argparse
import asyncio
import contextlib
import itertools
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from benchmarks.ingest import KEY_DIGITS, Template, collector, cpu_seconds, exchange, mark, memory

BUSINESSES = ("shoes", "books", "toys", "wine", "tea", "bikes", "lamps", "seeds")
CHAIN = (("orders", "placed"), ("stock", "reserved"), ("payments", "captured"), ("parcels", "shipped"))
LAST = "mail"  # takes the last event, and publishes none
ORDERS = 64  # of one request
STOPPED = 5  # spans of an order that stops: nobody takes the third event
STEP_NS = 20_000_000  # from one span of an order to the next
SENDERS = 16
RESTING = 0.15  # of a processor
GOAL_MS = {"flow by key": 50, "search": 100, "map": 300, "summary": 20, "stuck": 300, "why": 50}
LIST_MS = 50

Ask = Callable[[], str]  # a path of the API


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--millions", type=float, default=10, help="of spans")
    parser.add_argument("--folder", type=Path, help="where the store stays")
    parser.add_argument(
        "--stopping", type=int, default=50, help="one request in so many has orders that stop"
    )
    parser.add_argument("--times", type=int, default=40, help="that each question is asked")
    parser.add_argument("--beside", type=float, default=20, help="seconds of ingest; 0 for none")
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = given.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if not folder.exists() or not any(folder.iterdir()):
            fill(folder, int(given.millions * 1e6), given.stopping)
        restarted(folder)
        with collector(folder) as (process, ports):
            rest(process.pid)
            with client(ports) as api:
                known = api.get("/summary").json()
                print(f"states {known['states']}, {memory(process.pid, 'VmRSS'):,} MB")
                questions = asked_of(api)
                table("nothing else is done", {name: timed(api, ask, given.times) for name, ask in questions})
            if given.beside:
                beside(ports, dict(questions), given.beside, given.stopping)
            print(f"peak memory {memory(process.pid, 'VmHWM'):,} MB")


@dataclass(slots=True)
class Business(Template):
    """Requests of one business, whose orders happen while they are sent."""

    number: int = 0

    def fresh(self, random: np.random.Generator) -> bytes:
        """The body with fresh ids, keys and times."""
        begins = time.time_ns() - random.integers(0, 500_000_000, len(self.places) // self.order)
        times = np.repeat(begins, self.order) + np.tile(np.arange(self.order) * STEP_NS, len(begins))
        for column, values in ((4, times), (5, times + STEP_NS // 4)):
            octets = values.astype("<u8").view(np.uint8).reshape(-1, 8)
            self.body[self.places[:, column, None] + np.arange(8)] = octets
        shown = Template(self.body, self.places[:, :4], self.order)
        return shown.fresh(random)


def business(number: int, spans: int) -> Business:
    """Requests with orders of so many *spans*: each message, and the reaction of the next service to it."""
    name = BUSINESSES[number]
    services = [*(service for service, _ in CHAIN), LAST]
    request = ExportTraceServiceRequest()
    groups = []
    for service in services:
        group = request.resource_spans.add()
        group.resource.attributes.add(key="service.name").value.string_value = f"{name}-{service}"
        groups.append(group.scope_spans.add())
    base, marks = (number + 1) << 56, []
    for order, step in itertools.product(range(ORDERS), range(spans)):
        place, consumes = divmod(step, 2)
        seed = order * spans + step
        service = services[place + consumes]
        event = f"{name}.{CHAIN[place][0]}.{CHAIN[place][1]}"
        begin = base + (seed << 20) + 0x0BADCAFE
        span = groups[place + consumes].spans.add(
            trace_id=mark(number, seed, 0, 16),
            span_id=mark(number, seed, 1, 8),
            parent_span_id=mark(number, seed, 2, 8),
            name=f"{'process' if consumes else 'send'} {event}",
            kind=Span.SPAN_KIND_CONSUMER if consumes else Span.SPAN_KIND_PRODUCER,
            start_time_unix_nano=begin,
            end_time_unix_nano=begin + 1,
        )
        key = f"{number:02d}{seed:0{KEY_DIGITS - 2}d}"
        for attribute, said in (
            ("messaging.system", "nats"),
            ("messaging.operation.type", "process" if consumes else "send"),
            ("messaging.operation.name", "process" if consumes else "publish"),
            ("messaging.destination.name", event),
            ("messaging.consumer.group.name", service),
            ("messaging.client.id", f"{service}-1"),
            ("messaging.message.id", f"{name}-{seed:08d}"),
            ("server.address", "127.0.0.1"),
            ("order.id", f"A-{key}"),
        ):
            span.attributes.add(key=attribute).value.string_value = said
        size = int.to_bytes
        times = [size(begin, 8, "little"), size(begin + 1, 8, "little")]
        marks.append((span.trace_id, span.span_id, span.parent_span_id, key.encode(), *times))
    body = request.SerializeToString()
    places = np.array([[body.index(found) for found in row] for row in marks])
    return Business(np.frombuffer(bytearray(body), np.uint8), places, spans, number=number)


def senders() -> list[tuple[Business, Business]]:
    """For each sender, its requests: of orders that finish, and of orders that stop."""
    whole = 2 * len(CHAIN)
    kinds = range(SENDERS)
    return [(business(n % len(BUSINESSES), whole), business(n % len(BUSINESSES), STOPPED)) for n in kinds]


async def send(
    port: int, pairs: list[tuple[Business, Business]], stopping: int, until: Callable[[int], bool]
) -> int:
    """Send until that many spans are enough; return how many were sent."""
    sent = 0

    async def one(number: int) -> None:
        nonlocal sent
        random = np.random.Generator(np.random.SFC64((number, time.time_ns())))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for turn in itertools.count(1):
            if until(sent):
                break
            made = pairs[number][turn % stopping == 0]
            await exchange(reader, writer, made.fresh(random))
            sent += len(made.places)
        writer.close()

    await asyncio.gather(*map(one, range(len(pairs))))
    return sent


def fill(folder: Path, spans: int, stopping: int) -> None:
    """Have a collector store so many *spans* in *folder*."""
    began = time.monotonic()
    with collector(folder) as (process, ports):
        port = ports["CHOREOSCOPE_HTTP_PORT"]
        sent = asyncio.run(send(port, senders(), stopping, lambda sent: sent >= spans))
        print(f"{sent:,} spans within {time.monotonic() - began:.0f} s", flush=True)
        rest(process.pid)


def restarted(folder: Path) -> None:
    """Print how soon after a start the first page has its answers."""
    began = time.monotonic()
    with collector(folder) as (process, ports), client(ports) as api:
        ready = time.monotonic() - began
        for path in ("/summary", "/stuck?each=6", "/flows?limit=50"):
            api.get(path).raise_for_status()
        print(f"ready {ready:.1f} s after its start; the first page {time.monotonic() - began:.1f} s")
        rest(process.pid)


def rest(pid: int) -> None:
    """Return once the process has little to do, or after two minutes."""
    for _ in range(60):
        before = cpu_seconds(pid)
        time.sleep(2)
        if cpu_seconds(pid) - before < 2 * RESTING:
            return


@contextlib.contextmanager
def client(ports: dict[str, int]) -> Iterator[httpx.Client]:
    """A client of the API."""
    address = f"http://127.0.0.1:{ports['CHOREOSCOPE_API_PORT']}/api/v1"
    with httpx.Client(base_url=address, timeout=120, trust_env=False) as api:
        yield api


def asked_of(api: httpx.Client) -> list[tuple[str, Ask]]:
    """The questions by name; where one is about a flow, about another one each time."""
    done = [flow["key"] for flow in api.get("/flows?state=done&limit=2000").json()["flows"]]
    stuck = [flow["key"] for flow in api.get("/flows?state=stuck&limit=2000").json()["flows"]]
    some, stopped = itertools.cycle(done[::-7]), itertools.cycle((stuck or done)[::-7])
    parts, services = itertools.cycle(done[::-3]), itertools.cycle(BUSINESSES)
    everything = 31 * 86_400
    windows = itertools.count(everything - 500)
    return [
        ("flow by key", lambda: f"/flows/{next(some)}"),
        ("why", lambda: f"/why/{next(stopped)}"),
        ("list: all", lambda: "/flows?limit=50"),
        ("list: done", lambda: "/flows?limit=50&state=done"),
        ("list: stuck", lambda: "/flows?limit=50&state=stuck"),
        ("list: last 15 minutes", lambda: "/flows?limit=50&window_s=900"),
        ("search: key", lambda: f"/flows?limit=50&q={next(parts)}"),
        ("search: part of a key", lambda: f"/flows?limit=50&q={next(parts)[:6]}"),
        ("search: event", lambda: f"/flows?limit=50&q={next(services)}.stock.reserved"),
        ("search: service", lambda: f"/flows?limit=50&q={next(services)}-payments"),
        ("search: nothing found", lambda: f"/flows?limit=50&q=nobody-{next(services)}"),
        ("map", lambda: f"/map?window_s={everything}"),
        ("map: another window", lambda: f"/map?window_s={next(windows)}"),
        ("summary", lambda: "/summary"),
        ("stuck", lambda: "/stuck?each=6"),
    ]


def timed(api: httpx.Client, ask: Ask, times: int) -> list[float]:
    """How long each answer takes, in milliseconds."""
    took = []
    for _ in range(times):
        path = ask()
        began = time.perf_counter()
        api.get(path).raise_for_status()
        took.append((time.perf_counter() - began) * 1e3)
        if sum(took) > 15_000:  # what is slow is asked less often
            break
    return took


def table(while_: str, took: dict[str, list[float]]) -> None:
    """Print the times of each question."""
    print(f"\n| {while_} | p50 ms | p99 ms | goal |\n|---|---|---|---|")
    for name, each in took.items():
        if each:
            p50, p99 = np.percentile(each, [50, 99])
            goal = GOAL_MS.get(name.partition(":")[0], LIST_MS)
            print(f"| {name} | {p50:.1f} | {p99:.1f} | {goal} |", flush=True)


def beside(ports: dict[str, int], questions: dict[str, Ask], seconds: float, stopping: int) -> None:
    """Ingest alone, then with three readers; print what each loses."""
    pairs, rates = senders(), []
    took: dict[str, list[float]] = {name: [] for name in questions}
    over = threading.Event()

    def read() -> None:
        with client(ports) as api:
            while not over.is_set():
                for name, ask in questions.items():
                    took[name] += timed(api, ask, 1)

    for readers in (0, 3):
        over.clear()
        threads = [threading.Thread(target=read) for _ in range(readers)]
        for one in threads:
            one.start()
        end = time.monotonic() + seconds
        port = ports["CHOREOSCOPE_HTTP_PORT"]
        sent = asyncio.run(send(port, pairs, stopping, lambda _: time.monotonic() > end))  # noqa: B023
        rates.append(sent / seconds)
        over.set()
        for one in threads:
            one.join()
    table("three readers, and full ingest", took)
    alone, read_beside = rates
    print(f"\n{alone:,.0f} spans/s alone, {read_beside:,.0f} with readers ({read_beside / alone:.0%})")


if __name__ == "__main__":
    main()
