"""Which names are like one that nothing has? What is named is tried next: it must be worth it."""

import pytest

from collector.queries.nearest_names import most_alike, pieces_of

KEYS = ("A-HBQDCZG4", "A-HBQDXXXX", "B-17", "order-2026-000123", "order-2026-000124", "payment-7")


@pytest.mark.parametrize(
    ("asked", "first"),
    [
        ("A-HBQDCZG5", "A-HBQDCZG4"),
        ("a-hbqdczg4x", "A-HBQDCZG4"),
        ("X-HBQDCZG4", "A-HBQDCZG4"),
        ("000123", "order-2026-000123"),
        ("ordr-2026-000124", "order-2026-000124"),
        ("order-2026-000123-refund", "order-2026-000123"),
    ],
)
def test_a_mistyped_name_and_a_part_of_one_find_it(asked: str, first: str) -> None:
    """Whichever character is wrong, one of the pieces that are looked for is in the name that was meant."""
    pieces = [piece.casefold() for pieces in pieces_of(asked) for piece in pieces]
    having = dict.fromkeys(key for key in KEYS if any(piece in key.casefold() for piece in pieces))

    assert most_alike(asked, having, 5)[0] == first


@pytest.mark.parametrize(("asked", "alike"), [("nothere", []), ("payment", ["payment-7"])])
def test_what_only_shares_some_letters_is_not_called_alike(asked: str, alike: list[str]) -> None:
    assert most_alike(asked, dict.fromkeys(KEYS), 5) == alike


def test_letters_that_are_in_many_names_by_chance_are_not_looked_for() -> None:
    assert not any(pieces_of("x-"))
