"""What must every store do with what people said about stopped flows? Like `contract.py`."""

from collections.abc import Sequence

import numpy as np
import pytest

from collector.model.dismissals import STANDING, Dismissal, DismissalWord
from collector.model.flows import State
from collector.store.contracts import FlowStore, Search, Stores
from collector.store.removal import DismissalStore
from tests.factories import NOW
from tests.stores.contract import STRANGE, Opened, names, put
from tests.stores.contract import flows as table_of


def dismissal(at: int = NOW, word: DismissalWord = "dismiss", **more: str) -> Dismissal:
    """The word of Ada at this time."""
    said = {"incident": "payment after StockReserved", "author": "ada", "reason": "a test run"}
    return Dismissal(at, word, **{**said, **more})


def say(store: DismissalStore, said: Dismissal, *ids: str, until: int = NOW) -> None:
    """Write *said* about the flows with these ids."""
    store.write(said, ids, np.full(len(ids), -1 if said.word == "undo" else until))


def standing(store: DismissalStore) -> dict[str, tuple[int, int]]:
    """(until, at) by flow."""
    found = store.standing()
    assert found.schema == STANDING
    return {row["flow"]: (row["until"], row["at"]) for row in found.to_pylist()}


class DismissalStoreContract:
    """The promises of `DismissalStore`, and what `FlowStore` makes of them."""

    @pytest.fixture
    def stores(self, opened: Opened) -> Stores:
        return opened()

    @pytest.fixture
    def store(self, stores: Stores) -> DismissalStore:
        return stores.dismissals

    @pytest.fixture
    def flows(self, stores: Stores) -> FlowStore:
        """Two stuck flows, one failed, one late and one done, all received at the same time."""
        states = (State.STUCK, State.STUCK, State.FAILED, State.LATE, State.DONE)
        for name, state in zip(("A-1", "A-2", STRANGE, "B-1", "C-1"), states, strict=True):
            put(stores.flows, table_of(name), state)
        return stores.flows

    def test_a_word_comes_back_exactly_as_it_was_written(self, store: DismissalStore) -> None:
        given = dismissal(incident=STRANGE, author="\u202e", reason="r" * 9_000)

        say(store, given, STRANGE, "A-1")

        assert store.said() == [given]
        assert standing(store) == {STRANGE: (NOW, NOW), "A-1": (NOW, NOW)}
        assert store.count() == 2

    def test_without_words_nothing_stands(self, store: DismissalStore, flows: FlowStore) -> None:
        assert (store.said(), standing(store), store.count()) == ([], {}, 0)
        assert flows.counts(Search(dismissed=True)) == {}
        assert sum(flows.counts(Search(states=(State.STUCK, State.FAILED))).values()) == 3

    def test_the_newest_word_on_each_flow_stands_and_none_is_replaced(self, store: DismissalStore) -> None:
        said = [dismissal(NOW), dismissal(NOW + 1, "undo"), dismissal(NOW + 2, author="bob")]
        say(store, said[0], "A-1", "A-2", "A-3")
        say(store, said[1], "A-1", "A-2")
        say(store, said[2], "A-2", until=NOW + 9)

        assert standing(store) == {"A-1": (-1, NOW + 1), "A-2": (NOW + 9, NOW + 2), "A-3": (NOW, NOW)}
        assert store.said() == said
        assert store.count() == 6

    @pytest.mark.parametrize(
        ("search", "found"),
        [
            (Search(dismissed=True), ["A-1", STRANGE]),
            (Search(states=(State.STUCK, State.FAILED)), ["A-2"]),
            (Search(states=(State.STUCK,), dismissed=True), ["A-1", "A-2", STRANGE]),
            (Search(states=(State.LATE, State.DONE)), ["B-1", "C-1"]),
            (Search(), ["A-1", "A-2", STRANGE, "B-1", "C-1"]),
            (Search("A-", dismissed=True), ["A-1"]),
            (Search(dismissed=True, before=NOW), []),
            (Search(dismissed=True, before=NOW + 1), ["A-1", STRANGE]),
        ],
    )
    def test_what_is_dismissed_is_found_as_such(
        self, store: DismissalStore, flows: FlowStore, search: Search, found: Sequence[str]
    ) -> None:
        """Only what stopped can be dismissed: a flow that is late or done needs no attention anyway."""
        say(store, dismissal(), "A-1", STRANGE, "B-1", "C-1", "nobody")

        assert sorted(names(flows.found(search, 10))) == sorted(found)
        assert sum(flows.counts(search).values()) == len(found)
        apart = flows.counts_apart(search)
        assert sum(apart.values()) == len(found)
        assert sum(n for (_, gone), n in apart.items() if gone) == len({"A-1", STRANGE} & set(found))

    def test_a_dismissal_is_about_a_flow_as_it_stood(self, store: DismissalStore, flows: FlowStore) -> None:
        """A later span of it makes it another flow: if that stops, it is shown."""
        say(store, dismissal(), "A-1")
        assert names(flows.found(Search(dismissed=True), 10)) == ["A-1"]

        put(flows, table_of("A-1", received=NOW + 1), State.STUCK)
        assert names(flows.found(Search(dismissed=True), 10)) == []

        say(store, dismissal(NOW + 1), "A-1", until=NOW + 1)
        assert names(flows.found(Search(dismissed=True), 10)) == ["A-1"]
        say(store, dismissal(NOW + 2, "undo"), "A-1")
        assert names(flows.found(Search(dismissed=True), 10)) == []

    def test_many_can_be_dismissed_at_once(self, stores: Stores) -> None:
        many = [f"order-{number}-of-a-shop-with-long-ids" for number in range(20_000)]
        put(stores.flows, table_of(*many), State.STUCK)

        say(stores.dismissals, dismissal(), *many[1:])

        assert stores.flows.counts(Search(states=(State.STUCK,))) == {State.STUCK: 1}
        assert stores.flows.counts(Search(dismissed=True)) == {State.STUCK: len(many) - 1}

    def test_all_see_a_word_at_once(self, opened: Opened) -> None:
        """A new collector on this store must not show what people dismissed in the one before."""
        say(opened().dismissals, dismissal(), "A-1")

        assert standing(opened().dismissals) == {"A-1": (NOW, NOW)}

    def test_words_on_flows_that_are_gone_can_be_forgotten(
        self, store: DismissalStore, flows: FlowStore
    ) -> None:
        """The others stay, however old; and so do words that are young: their flow may not be stored yet."""
        say(store, dismissal(NOW), "A-1", "gone")
        say(store, dismissal(NOW + 1), "gone as well")
        say(store, dismissal(NOW + 2), "not there yet")

        store.forget_gone(NOW + 2)

        assert set(standing(store)) == {"A-1", "not there yet"}
        assert [one.at for one in store.said()] == [NOW, NOW + 2]
