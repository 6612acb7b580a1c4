"""Durations, shares and sentences have the same words everywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import words


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (None, ""),
        (0, "0 ms"),
        (0.04, "<0.1 ms"),
        (1.26, "1.3 ms"),
        (218.2, "218 ms"),
        (999.6, "1.00 s"),
        (1_960, "1.96 s"),
        (23_600, "23.6 s"),
        (41_900, "41 s"),
        (59_999, "59 s"),
        (14 * 60_000, "14 m"),
        (59.9 * 60_000, "59 m"),
        (125 * 60_000, "2 h 5 m"),
        (30 * 3_600_000, "30 h"),
        (72 * 3_600_000, "3 d"),
        (-12.5, "\u221212 ms"),
    ],
)
def test_durations_have_few_digits(ms: float | None, said: str) -> None:
    assert words.duration(ms) == said


@pytest.mark.parametrize(
    ("part", "said"), [(0.0, "0 %"), (0.004, "<1 %"), (0.5, "50 %"), (0.996, ">99 %"), (1.0, "100 %")]
)
def test_shares_are_not_rounded_to_all_or_nothing(part: float, said: str) -> None:
    """While one flow is stuck, `100 %` done would be wrong."""
    assert words.share(part) == said


@pytest.mark.parametrize(
    ("ms", "pace", "said"),
    [
        (0, 500, "0"),
        (500, 500, "500 ms"),
        (1_500, 500, "1.5 s"),
        (42_000, 1_000, "42 s"),
        (83_250, 50, "1 m 23.25 s"),
        (180_000, 60_000, "3 m"),
    ],
)
def test_labels_of_an_axis_differ_from_each_other(ms: float, pace: float, said: str) -> None:
    """Four labels `1 m` on one axis would tell nothing."""
    assert words.tick(ms, pace) == said


def test_offsets_count_from_the_start() -> None:
    assert words.offset(2_850_000_000) == "+2.85 s"
    assert words.offset(-5_000_000) == "\u22125.0 ms"


@pytest.mark.parametrize(
    ("moments", "said"),
    [
        ([0, 15, 2_850], ["+0 ms", "+15 ms", "+2.85 s"]),
        ([123_410, 123_430, 123_900, 240_000], ["+2 m 3.41 s", "+2 m 3.43 s", "+2 m 4 s", "+4 m"]),
        ([41_200, 41_203], ["+41.200 s", "+41.203 s"]),
        ([3_723_000, 3_724_000], ["+1 h 2 m 3 s", "+1 h 2 m 4 s"]),
    ],
)
def test_offsets_are_as_exact_as_tells_them_apart(moments: list[int], said: list[str]) -> None:
    """Four steps in a row at "+2 m" say nothing about which came first."""
    found = words.offsets(ms * 1_000_000 for ms in reversed(moments))

    assert [found[ms * 1_000_000] for ms in moments] == said


def test_counts_agree_with_their_noun() -> None:
    assert [words.count(number, "flow") for number in (0, 1, 12480)] == ["0 flows", "1 flow", "12,480 flows"]


def test_names_are_set_apart_in_a_sentence() -> None:
    parts = words.marked(
        "payment has not taken StockReserved.", codes=["StockReserved", None], strongs=["payment"]
    )

    assert parts == [
        {"text": "payment", "mark": "strong"},
        {"text": " has not taken "},
        {"text": "StockReserved", "mark": "code"},
        {"text": "."},
    ]


def test_only_whole_words_are_names() -> None:
    """The service `order` is not in OrderPlaced, nor in reorder or order-2."""
    sentence = "reorder, order-2 and OrderPlaced"

    assert words.marked(sentence, codes=[], strongs=["order", "Order"]) == [{"text": sentence}]


@given(st.text(), st.lists(st.text(min_size=1)), st.lists(st.text(min_size=1)))
def test_no_letter_of_a_sentence_is_lost(sentence: str, codes: list[str], strongs: list[str]) -> None:
    parts = words.marked(sentence, codes=codes, strongs=strongs)

    assert "".join(part["text"] for part in parts) == sentence


def test_a_cause_without_words_is_said_by_its_name() -> None:
    """A newer collector may know causes that this dashboard does not."""
    assert words.cause("moon_phase") == "moon phase"
