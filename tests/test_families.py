"""Each broker's and library's lore, tried with spans as its clients write them."""

import pkgutil
import re
from importlib import import_module
from typing import Any

import pytest

from collector.conventions import families, read
from collector.conventions.families import FAMILIES
from collector.conventions.lore import Lore
from tests.factories import request, span, table
from tests.families.cases import Case

NAMES = sorted(module.name for module in pkgutil.iter_modules(families.__path__))


def lore_of(family: str) -> Lore:
    lore: Lore = import_module(f"collector.conventions.families.{family}").LORE
    return lore


def cases_of(family: str) -> tuple[Case, ...]:
    cases: tuple[Case, ...] = import_module(f"tests.families.{family}_cases").CASES
    return cases


def words_of(lore: Lore) -> set[str]:
    """Everything that a family's lore looks for."""
    names = {name for column in lore.attributes.values() for name in column}
    names |= {name for column in lore.last_resorts.values() for name in column}
    named = {*lore.operations, *lore.settles, *lore.verbs, *lore.producer_names, *lore.keeps}
    corrected = {f"{word.name} {kind.name}" for word, kind in lore.corrections}
    begun = {*lore.inboxes, *lore.settle_subjects, *lore.broker_subjects}
    return names | named | corrected | begun | ({lore.system} - {""})


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=f"{name}: {case.about}") for name in NAMES for case in cases_of(name)],
)
def test_what_a_family_writes_is_understood(case: Case) -> None:
    one = span(case.name, kind=case.kind, attributes=dict(case.attributes))
    (row,) = read(table(request(one, service="shop"))).to_pylist()

    assert {column: row[column] for column in case.read} == dict(case.read)


@pytest.mark.parametrize("name", NAMES)
def test_every_family_is_listed_and_every_word_of_it_is_tried(name: str) -> None:
    """A word without a case may be misspelled, and nobody would notice."""
    lore = lore_of(name)
    said = " ".join(case.words for case in cases_of(name))

    assert lore in FAMILIES
    assert [word for word in sorted(words_of(lore)) if word.lower() not in said] == []
    for pattern, role in lore.names:
        named = [case for case in cases_of(name) if re.fullmatch(pattern, case.name.lower())]
        assert any(case.read.get("role") is role for case in named), pattern


@pytest.mark.parametrize("column", ["operations", "settles", "verbs", "producer_names", "corrections"])
def test_no_two_families_give_one_word_two_meanings(column: str) -> None:
    """They share one vocabulary, so the order in which they are listed must not matter."""
    meanings: dict[Any, Any] = {}
    for lore in FAMILIES:
        for word, meaning in getattr(lore, column).items():
            assert meanings.setdefault(word, meaning) is meaning
