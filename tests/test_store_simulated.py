"""Does the simulator's store keep the promises of every store? Verdicts would be worth nothing otherwise."""

import pytest

from benchmarks.silence.simulated_store import simulated_stores
from tests.stores.contract import FlowStoreContract, Opened, SpanStoreContract


@pytest.fixture
def opened() -> Opened:
    stores, _ = simulated_stores()
    return lambda: stores


class TestSpanStore(SpanStoreContract):
    """Made of tables."""


class TestFlowStore(FlowStoreContract):
    """Made of dicts."""
