"""Does the embedded store in memory keep the promises of every store?"""

from collections.abc import Iterator

import pytest

from collector.store.clickhouse.embedded import Engine
from tests.conftest import Engines, new_stores
from tests.stores.contract import FlowStoreContract, Opened, SpanStoreContract
from tests.stores.decision_contract import DecisionStoreContract
from tests.stores.dismissal_contract import DismissalStoreContract


@pytest.fixture(scope="module")
def in_memory(engines: Engines) -> Iterator[Engine]:
    """A process has one engine: close the one on the folder, which reopens when a test asks for it."""
    engines.close()
    engine = Engine(None, memory_limit=2**29)
    yield engine
    engine.close()


@pytest.fixture
def opened(in_memory: Engine) -> Iterator[Opened]:
    with new_stores(in_memory) as opened:
        yield opened


class TestSpanStore(SpanStoreContract):
    """In memory."""


class TestFlowStore(FlowStoreContract):
    """In memory."""


class TestDecisionStore(DecisionStoreContract):
    """In memory."""


class TestDismissalStore(DismissalStoreContract):
    """In memory."""
