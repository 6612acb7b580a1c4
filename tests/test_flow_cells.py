"""How are flows written for spreadsheets? What a sender wrote is text there, and never a formula."""

import csv
import io
from typing import Any

import pytest

from collector.model.flow_cells import COLUMNS, csv_of
from tests.test_text import item

EMPTY = dict.fromkeys(("waiting_for_event", "overdue_s", "wait_ms", "work_ms", "last_service", "reactions"))


def cells(**more: Any) -> list[str]:
    return list(csv.reader(io.StringIO(csv_of([item("done", **more)], ["flow"])), strict=True))[1]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\n=1", "＝1+1", "－1"])
def test_a_text_that_would_be_a_formula_is_text(name: str) -> None:
    assert cells(key=name) == [f"'{name}"]


def test_a_terminal_obeys_nobody() -> None:
    assert cells(key="a\x1b[31m\u202eb") == ["a\ufffd[31m\ufffdb"]
    assert cells(key="\r=1") == ["'\ufffd=1"]


@pytest.mark.parametrize("name", ["A-1", "a,b", 'say "hi"', "two\nlines", "żółw", "'=1"])
def test_any_other_text_comes_back_as_it_is(name: str) -> None:
    assert cells(key=name) == [name]


def test_every_column_has_a_name_and_times_are_read_as_such() -> None:
    head, row = csv.reader(io.StringIO(csv_of([item("done", **EMPTY, incomplete=False, traces=[])])))

    assert tuple(head) == COLUMNS
    assert len(row) == len(head)
    assert dict(zip(head, row, strict=True))["started"] == "1970-01-01 00:00:40.000"
