"""One NATS server and one span receiver per test module."""

from collections.abc import Iterator

import pytest

from .harness import NatsServer, Receiver


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """An empty NATS server."""
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """A receiver without any spans yet."""
    listening = Receiver()
    yield listening
    listening.close()
