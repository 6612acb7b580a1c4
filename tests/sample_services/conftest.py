"""One NATS server and one receiver of spans for each module of tests."""

from collections.abc import Iterator

import pytest

from .harness import NatsServer, Receiver


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A NATS server with nothing in it."""
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """A receiver that has not got a span yet."""
    listening = Receiver()
    yield listening
    listening.close()
