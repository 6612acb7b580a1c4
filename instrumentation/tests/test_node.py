"""A service in Node on the other side: context goes there and comes back."""

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from opentelemetry import baggage
from opentelemetry import context as contexts
from opentelemetry.trace import format_span_id, format_trace_id

from .support import Spans, id_of, links_of, parent_of, until

NODE = Path(__file__).parent / "node"


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Node service with its packages, in a folder of its own."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("there is no npm here: install Node to run these")
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "service.js"):
        shutil.copy(NODE / name, folder)
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    installed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=240)
    if installed.returncode:
        pytest.skip(f"npm could not install: {installed.stderr.strip().splitlines()[-1:]}")
    return folder


@pytest.mark.timeout(300)
@pytest.mark.parametrize("capitals", [False, True])
async def test_context_goes_to_node_and_comes_back(
    service: Path, nc: Client, nats_url: str, spans: Spans, capitals: bool
) -> None:
    """With names as JavaScript writes them, and as Go does. (Python writes a space in baggage as a plus.)"""
    process = await asyncio.create_subprocess_exec(
        "node",
        "service.js",
        *(["capitals"] if capitals else []),
        cwd=service,
        env=os.environ | {"NATS_URL": nats_url},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    output = process.stdout

    async def word() -> dict[str, Any]:
        said: dict[str, Any] = json.loads(await asyncio.wait_for(output.readline(), 60))
        return said

    async def hear(message: Msg) -> None:
        """Nothing is done with the answer."""

    try:
        assert await word() == {"ready": True}
        await nc.subscribe("node.answered", cb=hear)
        token = contexts.attach(baggage.set_baggage("order.id", "A-17"))
        await nc.publish("node.asked", b"")
        contexts.detach(token)
        seen = await word()
        await until(lambda: spans.handled)
    finally:
        process.kill()
        await process.wait()
    (sent,), (handled,) = spans.sent, spans.handled
    assert seen["parent"]["traceId"] == format_trace_id(sent.get_span_context().trace_id)
    assert seen["parent"]["spanId"] == format_span_id(id_of(sent))
    assert seen["parent"]["isRemote"] is True
    assert seen["baggage"] == [["order.id", {"value": "A-17"}]]
    assert parent_of(handled) == int("b" * 16, 16)
    assert links_of(handled) == [int("b" * 16, 16)]
    assert handled.get_span_context().trace_id == sent.get_span_context().trace_id
    assert (handled.attributes or {})["order.id"] == "A-17"
