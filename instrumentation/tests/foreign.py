"""A service in another language, and the checks when it answers one message with another."""

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from opentelemetry import baggage
from opentelemetry import context as contexts
from opentelemetry.trace import format_span_id, format_trace_id

from .support import Spans, id_of, links_of, parent_of, trace_of, until


async def exchange(
    name: str, command: Sequence[str], folder: Path, nc: Client, nats_url: str, spans: Spans
) -> None:
    """Ask the service that *command* starts in *folder*: each side sees its cause and the order."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=os.environ | {"NATS_URL": nats_url}, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    output = process.stdout

    async def word() -> dict[str, Any]:
        said: dict[str, Any] = json.loads(await asyncio.wait_for(output.readline(), 60))
        return said

    async def hear(message: Msg) -> None:
        """Ignore the answer."""

    try:
        assert await word() == {"ready": True}
        await nc.subscribe(f"{name}.answered", cb=hear)
        token = contexts.attach(baggage.set_baggage("order.id", "A-17"))
        await nc.publish(f"{name}.asked", b"")
        contexts.detach(token)
        seen = await word()
        await until(lambda: spans.handled)
    finally:
        process.kill()
        await process.wait()
    (sent,), (handled,) = spans.sent, spans.handled
    assert seen["parent"]["traceId"] == format_trace_id(trace_of(sent))
    assert seen["parent"]["spanId"] == format_span_id(id_of(sent))
    assert seen["parent"]["isRemote"] is True
    assert seen["baggage"] == [["order.id", {"value": "A-17"}]]
    assert parent_of(handled) == int("b" * 16, 16)
    assert links_of(handled) == [int("b" * 16, 16)]
    assert trace_of(handled) == trace_of(sent)
    assert (handled.attributes or {})["order.id"] == "A-17"
