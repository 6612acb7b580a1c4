"""What must every store do with what brokers report? See `contract`."""

from collections.abc import Callable

import pytest

from collector.brokers.fact_rows import rows_of
from collector.model.facts import FACTS, FactKind, Happening
from collector.store.contracts import Stores
from collector.store.reported import FactStore

NOW = 1_700_000_000 * 10**9
STRANGE = "żółw\x00'; DROP TABLE facts --\\ {x:String}\n"


def given_up(sequence: int, at: int = NOW) -> Happening:
    return Happening("nats", FactKind.GIVEN_UP, at, "ORDERS", STRANGE, sequence, 3, reason=STRANGE)


class FactStoreContract:
    """The promises of `FactStore`."""

    @pytest.fixture
    def facts(self, opened: Callable[[], Stores]) -> FactStore:
        return opened().facts

    def test_facts_come_back_in_order_and_once(self, facts: FactStore) -> None:
        """What was kept while the collector was away is read again at each start."""
        facts.write(FACTS.empty_table())
        later, first = rows_of([given_up(2, NOW + 1)]), rows_of([given_up(1)])
        for rows in (later, first, later):
            facts.write(rows)

        read = facts.between(NOW, NOW + 2, 10)
        assert read.schema == FACTS
        assert read.to_pylist() == [*first.to_pylist(), *later.to_pylist()]
        assert facts.between(NOW, NOW + 1, 10).to_pylist() == first.to_pylist()
        assert facts.between(NOW, NOW + 2, 1).num_rows == 1

    def test_old_facts_go_and_others_stay(self, facts: FactStore) -> None:
        facts.write(rows_of([given_up(1), given_up(2, NOW + 1)]))
        facts.forget(NOW + 1)

        assert facts.between(0, NOW + 2, 10)["sequence"].to_pylist() == [2]
