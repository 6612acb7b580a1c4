"""What must every store do with what people said? Like `contract.py`, with the same fixture `opened`."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from collector.model.decisions import Decision
from collector.store.contracts import DecisionStore
from tests.factories import NOW
from tests.stores.contract import STRANGE, Opened


def decision(at: int, **more: Any) -> Decision:
    """The word of Ada at this time."""
    said = {"word": "forget", "event_type": "OrderPlaced", "service": "audit", "author": "ada"}
    return Decision(**{"at": at, **said, "reason": "it was retired", **more})


class DecisionStoreContract:
    """The promises of `DecisionStore`."""

    @pytest.fixture
    def store(self, opened: Opened) -> DecisionStore:
        return opened().decisions

    def test_a_decision_comes_back_exactly_as_it_was_written(self, store: DecisionStore) -> None:
        given = decision(
            NOW, word="keep", event_type=STRANGE, service=STRANGE, author="\u202e", reason="r" * 9_000
        )

        store.write(given)

        assert store.all() == [given]

    def test_without_decisions_there_are_none(self, store: DecisionStore) -> None:
        assert store.all() == []

    def test_they_come_oldest_first_whenever_they_were_written(self, store: DecisionStore) -> None:
        for at in (NOW + 1, NOW - 1, NOW):
            store.write(decision(at))

        assert [one.at for one in store.all()] == [NOW - 1, NOW, NOW + 1]

    def test_nothing_that_was_said_is_replaced(self, store: DecisionStore) -> None:
        """Also of one step, of one instant, or twice the same: the order in which they were said decides."""
        said = [decision(NOW, word=word) for word in ("forget", "keep", "keep", "forget", "keep")]
        for one in said:
            store.write(one)

        assert store.all() == said

    def test_all_see_a_decision_at_once(self, opened: Opened) -> None:
        """A new collector on this store must not forget what people said to the one before."""
        opened().decisions.write(decision(NOW))

        assert opened().decisions.all() == [decision(NOW)]

    def test_people_may_speak_at_the_same_time(self, store: DecisionStore) -> None:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda number: store.write(decision(NOW + number)), range(20)))

        assert [one.at for one in store.all()] == [NOW + number for number in range(20)]
