"""Are repeated texts stored correctly as numbers?"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from collector.columns.dictionary import WORD, Words, coded, lean, taken

texts = st.lists(st.none() | st.sampled_from(["", "order", "payment", "<b>", "order "]), max_size=12)


def column(said: Sequence[str | None]) -> pa.Array:
    return pa.array(said, pa.string())


@given(texts, texts)
def test_equal_texts_have_one_number_wherever_they_were_said(first: list[str], second: list[str]) -> None:
    words = Words()
    numbers = [*words.add(column(first)), *words.add(column(second).cast(pa.binary()))]
    said = [*first, *second]
    assert all(
        (one == two) == (said[i] == said[j]) for i, one in enumerate(numbers) for j, two in enumerate(numbers)
    )
    assert [number < 0 for number in numbers] == [text is None for text in said]


@given(texts, texts)
def test_a_column_of_words_says_what_was_said(said: list[str], elsewhere: list[str]) -> None:
    words = Words()
    words.add(column(elsewhere))
    kept = words.column(words.add(column(said)))
    assert kept.type == WORD
    assert kept.to_pylist() == said


@given(st.lists(st.none() | st.sampled_from(["order", "payment"]), min_size=1), st.data())
def test_rows_are_taken_out_of_a_column(said: list[str | None], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(said) - 1)))
    whole = pa.array(said, WORD)
    for held, lacking in ((whole, 0), (whole.slice(1), 1)):
        places = [row - lacking for row in rows if row >= lacking]
        assert taken(held, np.array(places, np.int64)).to_pylist() == [said[p + lacking] for p in places]


def test_a_column_of_many_words_holds_none_but_its_own() -> None:
    words = Words()
    words.add(column([f"orders.{number}" for number in range(2000)]))
    kept = words.column(words.add(column(["orders.7", None, "payment", "orders.7"])))
    assert kept.to_pylist() == ["orders.7", None, "payment", "orders.7"]
    assert sorted(kept.dictionary.to_pylist()) == ["orders.7", "payment"]


def test_only_words_in_use_are_asked_for_their_meaning() -> None:
    words, asked = Words(), []

    def length(found: pa.Array) -> list[int]:
        asked.extend(found.to_pylist())
        return [len(text) for text in found.to_pylist()]

    numbers = words.add(column(["order", None, "payment", "order", "fraud"]))
    assert words.meanings(numbers[:4], length, -7).tolist() == [5, -7, 7, 5]
    assert asked == ["order", "payment"]


@given(texts, st.data())
def test_what_is_left_of_a_column_has_numbers_for_what_is_left(said: list[str], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(said) - 1))) if said else []
    left = column(said).dictionary_encode().take(pa.array(rows, pa.int64()))
    numbers, names = coded(pa.chunked_array([left]))
    assert [None if number < 0 else names[number].as_py() for number in numbers] == [
        said[row] for row in rows
    ]
    assert set(numbers.tolist()) - {-1} == set(range(len(names)))


def test_words_of_rows_that_went_do_not_stay_for_ever() -> None:
    """Where each order has its own destination, the words of thousands of orders would pile up."""
    table = pa.table({"where": pa.array([f"orders.{number}" for number in range(3000)]).cast(WORD)})
    left = table.take(pa.array([3, 2998, 3]))
    assert len(left["where"].chunk(0).dictionary) == 3000
    kept = lean(left)
    assert kept["where"].to_pylist() == ["orders.3", "orders.2998", "orders.3"]
    assert len(kept["where"].chunk(0).dictionary) == 2
    assert lean(table) is table
