"""Do tests that share what they started run in one process?"""

from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.distributing import _FIRST, Groups


class Node:
    """A process that notes which tests it gets."""

    shutting_down = False
    gateway = SimpleNamespace(id="a process")

    def __init__(self) -> None:
        self.sent: list[int] = []

    def send_runtest_some(self, indices: list[int]) -> None:
        self.sent += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def test_a_group_runs_in_one_process(request: pytest.FixtureRequest) -> None:
    """Of the files that run now, by the names that pytest gives their tests."""
    dashboard = [f"tests/dashboard/test_{file}.py::test_it[{n}]" for n in range(3) for file in ("a", "b")]
    names = list(dict.fromkeys([item.nodeid for item in request.session.items] + dashboard))
    config: Any = SimpleNamespace(
        getvalue=lambda _: ["2*popen"], option=SimpleNamespace(loadscopereorder=True)
    )
    groups, nodes = Groups(config), [Node(), Node()]
    for node in nodes:
        groups.add_node(node)
        groups.add_node_collection(node, names)

    groups.schedule()
    done = dict.fromkeys(nodes, 0)
    while any(done[node] < len(node.sent) for node in nodes):
        for node in nodes:
            if done[node] < len(node.sent):
                done[node] += 1
                groups.mark_test_complete(node, node.sent[done[node] - 1])

    ran: defaultdict[str, set[int]] = defaultdict(set)
    for number, node in enumerate(nodes):
        for index in node.sent:
            file = names[index].partition("::")[0]
            ran["dashboard" if file.startswith("tests/dashboard/") else file].add(number)
    assert sorted(index for node in nodes for index in node.sent) == list(range(len(names)))
    assert {group: where for group, where in ran.items() if len(where) > 1} == {}


def test_the_groups_that_begin_first_are_there() -> None:
    """A file that got another name would begin last."""
    root = Path(__file__).parent.parent

    assert [group for group in _FIRST if not (root / group).exists()] == []
