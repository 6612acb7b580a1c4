"""A collector that answers what a test wants, as slowly as it wants: for pages, not for the collector.

What a page does with twenty incidents, with an answer that takes a second, or with a flow of three hundred
cards does not depend on how the collector got there. The documents have the shapes of real ones.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from dashboard.demo_shop import Shop, ShopService
from dashboard.shapes import Flow, FlowItem, Flows, Overdue, ShownFlow, Stuck
from dashboard.total_shapes import Learning, Map, Otlp, SpanCounts, Summary
from tests.dashboard.factories import SECOND, Story, made

Answer = msgspec.Struct | Callable[[], msgspec.Struct]


def summary(**more: Any) -> Summary:
    """The figures of a collector that is well; a tick was just now."""
    now = time.time_ns()
    usual = {
        "now_unix_nano": now,
        "tick_unix_nano": now,
        "tick_s": 1.0,
        "replayed": True,
        "states": {"stuck": 3, "done": 60},
        "spans": made(SpanCounts, received=1_000, stored=1_000),
        "learning": made(Learning, flows=60, expectations=5),
        "otlp": made(Otlp, grpc="127.0.0.1:4317", http="http://127.0.0.1:4318"),
    }
    return made(Summary, **{**usual, **more})


def of(story: Story, key: str, **more: Any) -> Flow:
    """The document of a flow that is done, unless *more* says otherwise."""
    flow = story.flow(*more.pop("findings", ()))
    messages = [message.time_unix_nano for message in story.messages]
    item = {
        "id": key,
        "key": key,
        "state": "done",
        "started_unix_nano": min(messages),
        "last_unix_nano": max(messages),
        "messages": len(story.messages),
        "reactions": len(story.reactions),
        **more,
    }
    return msgspec.structs.replace(flow, flows=[made(ShownFlow, **item)])


def item(key: str, **more: Any) -> FlowItem:
    """A flow of a list."""
    now = time.time_ns()
    usual = {"id": key, "key": key, "state": "done", "started_unix_nano": now - 9 * SECOND}
    return made(FlowItem, **{**usual, "last_unix_nano": now, "messages": 5, "reactions": 7, **more})


def short_story() -> Story:
    """An order that was placed, paid and shipped."""
    story = Story()
    placed = story.publish("OrderPlaced")
    story.react(placed, "analytics")
    paid = story.step(placed, "payment", "PaymentCaptured")
    story.step(paid, "shipping", "OrderShipped")
    return story


@dataclass
class Stage:
    """The documents by path, how long each takes, whether anything is answered at all, and what was asked."""

    documents: dict[str, Answer] = field(default_factory=dict)
    slow: dict[str, float] = field(default_factory=dict)
    silent: bool = False
    url: str = ""
    asked: list[str] = field(default_factory=list)

    def reset(self) -> None:
        """Answer at once, and what every page asks first."""
        self.silent = False
        self.asked.clear()
        self.slow.clear()
        self.documents.clear()
        self.documents |= {
            "/healthz": lambda: made(Overdue),
            "/faults": Shop(services=[ShopService(service="payment"), ShopService(service="shipping")]),
            "/api/v1/summary": summary,
            "/api/v1/stuck": made(Stuck, replayed=True),
            "/api/v1/flows": made(Flows, flows=[item("A-1")], total=1),
            "/api/v1/flows/A-1": of(short_story(), "A-1"),
            "/api/v1/map": made(Map),
        }

    def flow(self, key: str, flow: Flow) -> None:
        """Answer with *flow* when the page of *key* asks."""
        self.documents[f"/api/v1/flows/{key}"] = flow

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one question, or hang up."""
        path = unquote(urlsplit(handler.path).path)
        self.asked.append(path)
        time.sleep(self.slow.get(path, 0.0))
        if self.silent:
            handler.close_connection = True
            return
        known = self.documents.get(path)
        body = msgspec.json.encode(
            {"error": f"nothing at {path}"} if known is None else known() if callable(known) else known
        )
        with contextlib.suppress(OSError):  # the page waits no longer
            handler.send_response(404 if known is None else 200)
            handler.send_header("content-length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)


@contextlib.contextmanager
def staged() -> Iterator[Stage]:
    """A stage that is open."""
    stage = Stage()
    stage.reset()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else an answer's body waits 40 ms, until its head is acknowledged

        def do_GET(self) -> None:
            stage.answer(self)

        def log_message(self, *said: object) -> None:
            """Keep what was asked to itself."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stage.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield stage
    server.shutdown()
    server.server_close()


__all__ = ["Stage", "item", "of", "short_story", "staged", "summary"]
