"""What do 25 people who look at the pages at once cost? `python -m benchmarks.viewers [--viewers 25]`

A real collector holds a shop's orders, some of them stuck, and a real dashboard serves its pages to viewers
that speak what a browser speaks: a web socket each, which takes what is sent and asks for every refresh that
the page wants. They are spread over all pages. Printed are the dashboard's processor time and memory, and of
the viewers: how long the first answer took, how many refreshes came of those that were due, and their size.
Exit code 1 says that a page failed, also where it says so itself, or that a viewer got no answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from benchmarks.page_flows import made
from benchmarks.pages import running
from tests.dashboard.shop import Shop, place, shipped, unpaid

# Each page with what its address says.
PAGES = {
    "": "",
    "flows": "q=state:stuck",
    "flow": "flow=A-200",
    "choreography": "",
    "expectations": "",
}
# Not every notice is a trouble: that nothing matches is an answer.
TROUBLE = "No answer from|No collector answers|The collector takes long|The answer about|What is shown of"
RETRY = [{"id": "retry", "label": "Retry"}]
TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Viewer:
    """One web socket, what came through it, and the refreshes that a browser would ask for."""

    page: str
    asked: str
    script: str = ""
    first_s: float | None = None  # from connecting to the end of the first run
    due: int = 0  # refreshes asked for
    done: int = 0
    sent: int = 0
    failed: list[str] = field(default_factory=list)
    timers: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def watch(self, port: int, until: float) -> None:
        """Open the page and take what it sends until then."""
        began = time.monotonic()
        address, origin = f"ws://127.0.0.1:{port}/_stcore/stream", f"http://127.0.0.1:{port}"
        async with connect(
            address, origin=Origin(origin), subprotocols=[Subprotocol("streamlit")], max_size=None, proxy=None
        ) as socket:
            await socket.send(self.wish())
            try:
                while (left := until - time.monotonic()) > 0:
                    got = await asyncio.wait_for(socket.recv(decode=False), left)
                    self.sent += len(got)
                    self.take(ForwardMsg.FromString(bytes(got)), socket, began)
            except TimeoutError:
                pass
            finally:
                for timer in self.timers.values():
                    timer.cancel()

    def take(self, message: ForwardMsg, socket: ClientConnection, began: float) -> None:
        """Do with a message what a browser does."""
        kind = message.WhichOneof("type")
        if kind == "delta":
            self.failed += troubles(message.delta.new_element)
        elif kind == "new_session":
            self.script = message.new_session.page_script_hash
        elif kind == "auto_rerun":
            again = message.auto_rerun
            if again.fragment_id not in self.timers:
                self.timers[again.fragment_id] = asyncio.create_task(
                    self.refresh(socket, again.fragment_id, again.interval)
                )
        elif kind == "script_finished":
            if self.first_s is None:
                self.first_s = time.monotonic() - began
            elif message.script_finished == ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY:
                self.done += 1

    async def refresh(self, socket: ClientConnection, fragment: str, every_s: float) -> None:
        """Ask for a part of the page again and again."""
        while True:
            await asyncio.sleep(every_s)
            self.due += 1
            await socket.send(self.wish(fragment))

    def wish(self, fragment: str = "") -> bytes:
        """Ask for the page, or for a part of it."""
        message = BackMsg()
        message.rerun_script.page_name = self.page
        message.rerun_script.query_string = self.asked
        message.rerun_script.page_script_hash = self.script
        message.rerun_script.fragment_id = fragment
        message.rerun_script.is_auto_rerun = bool(fragment)
        return message.SerializeToString()


def troubles(element: Element) -> list[str]:
    """What *element* says of a failure: an exception, or a notice of ours, which confines one to its part."""
    if element.WhichOneof("type") == "exception":
        return [element.exception.message]
    if element.WhichOneof("type") != "bidi_component" or '"notice"' not in element.bidi_component.json:
        return []
    notice = json.loads(element.bidi_component.json)
    lines = [notice.get("title") or [], *(notice.get("lines") or [])]
    text = " ".join(filter(None, ("".join(part.get("text", "") for part in line) for line in lines)))
    detail = (notice.get("detail") or "").strip().rsplit("\n", 1)[-1]
    said = notice.get("actions") == RETRY or re.search(TROUBLE, text)
    return [f"{text} {detail}".strip()[:160]] if said else []


def used(pid: int) -> tuple[float, float]:
    """The processor time (s) and the memory (MB) of the process *pid*."""
    after_name = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    resident = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return (int(after_name[11]) + int(after_name[12])) / TICK, int(resident) * os.sysconf(
        "SC_PAGE_SIZE"
    ) / 1e6


async def watched(port: int, viewers: list[Viewer], seconds: float) -> None:
    """Let all of them look at once."""
    until = time.monotonic() + seconds
    await asyncio.gather(*(viewer.watch(port, until) for viewer in viewers))


def fed(otlp: str) -> None:
    """Orders that went well, orders that nobody paid, and a large flow."""
    shop = Shop()
    for number in range(60):
        place(shop, f"A-{100 + number}", shipped, seconds_ago=3)
    shop.send(otlp)
    time.sleep(15)  # it learns from what is at rest
    for number in range(30):
        place(shop, f"A-{200 + number}", unpaid, seconds_ago=3)
    shop.send(otlp)
    post(otlp, made("order", 1_000).body())
    time.sleep(10)


def post(otlp: str, body: bytes) -> None:
    """Send one request."""
    headers = {"content-type": "application/x-protobuf"}
    httpx.post(
        f"{otlp}/v1/traces", content=body, headers=headers, trust_env=False, timeout=60
    ).raise_for_status()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--viewers", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=30.0, help="that they look")
    given = parser.parse_args()
    print(f"load of this machine: {', '.join(f'{load:.1f}' for load in os.getloadavg())}")
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as (collector, dashboard):
        fed(collector.otlp)
        pid = dashboard.pid
        asyncio.run(watched(dashboard.port, [Viewer("", "")], 8.0))  # it imports what it needs
        alone = used(pid)
        print(f"with one viewer                    {alone[1]:8,.0f} MB")
        names = list(PAGES)
        viewers = [Viewer(name := names[place % len(names)], PAGES[name]) for place in range(given.viewers)]
        start, before = time.monotonic(), used(pid)
        asyncio.run(watched(dashboard.port, viewers, given.seconds))
        after, took = used(pid), time.monotonic() - start
    print(f"with {given.viewers:3} viewers                   {after[1]:8,.0f} MB   budget 250 MB")
    share = 100 * (after[0] - before[0]) / took
    print(f"processor of the dashboard         {share:8,.0f} % of one core   budget 35 %")
    first = [viewer.first_s for viewer in viewers if viewer.first_s is not None]
    print(f"first answer, median and slowest   {statistics.median(first):8.2f} and {max(first):.2f} s")
    for name in names:
        mine = [viewer for viewer in viewers if viewer.page == name]
        due, done = sum(viewer.due for viewer in mine), sum(viewer.done for viewer in mine)
        sent = sum(viewer.sent for viewer in mine) / max(done, 1) / 1e3
        print(f"  {'/' + name:16} {done:5,} refreshes of {due:5,} due   {sent:8,.0f} KB each")
    failed = sorted({text for viewer in viewers for text in viewer.failed})
    unanswered = sum(viewer.first_s is None for viewer in viewers)
    print(f"viewers without an answer {unanswered}, errors {failed or 'none'}")
    return int(bool(failed or unanswered))


if __name__ == "__main__":
    sys.exit(main())
