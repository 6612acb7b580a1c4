"""What does a person see who dismisses and deletes by command, on a collector that goes on meanwhile?"""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from collector.commands import choreoscope
from collector.commands.sweeping_text import deleted
from collector.diagnosis.standing import Standings
from collector.model import answers as shapes
from collector.store.contracts import Stores
from tests.collecting import Collector, until
from tests.conftest import new_stores
from tests.documents import fields
from tests.factories import SECOND
from tests.scenes import order
from tests.standing_factories import Told, app_of, serving
from tests.test_commands import run

UNPAID = ["A-0", "A-1", "A-2"]


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """It learned from 30 orders, and payment took none of three later ones."""
    running = Collector(tmp_path_factory.mktemp("sweeping"), CHOREOSCOPE_DEADLINE_S="1").start()
    at = time.time_ns() - 3 * SECOND
    running.send([one for number in range(30) for one in order(f"L-{number}", at)])
    until(lambda: running.ask("/summary")["learning"]["flows"] == 30)
    for name in UNPAID:
        running.send(order(name, time.time_ns(), down={"payment"}))
    until(lambda: running.ask("/stuck")["flows"] == 3)
    yield running
    running.stop()


def test_a_broom_sweeps_what_it_is_told_and_no_more(collector: Collector, tmp_path: Path) -> None:
    """A person's way through both: nothing acknowledged goes that was not meant, and nothing comes back."""

    def said(*words: str) -> str:
        done = run(*words, environment=collector.environment)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def refs() -> set[str]:
        names = ["L-3", "L-29", "A-1", "A-2"]  # each question stitches a flow
        spans = [collector.get(f"/api/v1/flows/{name}") for name in names]
        graphs = [answer.json() for answer in spans if answer.status_code == 200]
        return {node["ref"] for graph in graphs for node in [*graph["messages"], *graph["reactions"]]}

    assert said("dismiss", "A-0", "--reason", "seen").startswith("1 flow dismissed as it stands.\n  A-0\n")
    assert re.search(r"^1 dismissed: .*flows --state dismissed$", said("stuck"), re.MULTILINE)
    assert said("dismiss", "--waiting-for", "payment", "--reason", "a test", "--author", "bob").startswith(
        "2 flows"
    )
    quiet = said("stuck").splitlines()
    assert quiet[0] == "Nothing is stuck."
    assert any(line.startswith("3 dismissed: ") for line in quiet)
    assert said("dismiss", "A-1", "--undo", "--reason", "oops").startswith("1 flow shown again.")
    assert "dismissed by bob at " in said("flows", "--state", "dismissed")

    ledger = refs()
    dry = json.loads(said("delete", "--service", "mailer", "--format", "json"))
    fields(shapes.Deletion, dry)
    assert (dry["state"], dry["spans"], dry["flows"], dry["whole_flows"], dry["cut_flows"]) == (
        "dry_run",
        33,
        33,
        0,
        33,
    )
    done = said("delete", "--service", "mailer", "--yes", "--reason", "a test")
    assert done.startswith("Deleted 33 spans of mailer in ")
    assert "33 stored flows lose some of their spans." in done
    assert "1 stored flow loses some of its spans." in said("delete", "--flow", "A-2", "--service", "order")
    assert "1 stored flow loses all its spans." in said("delete", "--flow", "A-2", "--before", "0s")
    assert len(ledger - (left := refs())) == 4
    assert left < ledger
    assert "note: spans of mailer were deleted at " in said("flow", "L-3")
    assert said("delete", "--flow", "A-2", "--yes", "--reason", "a test").startswith("Deleted ")
    left = refs()
    assert collector.get("/api/v1/flows/A-2").status_code == 404
    states = collector.ask("/summary")["states"]
    assert (states["stuck"], states["dismissed"]) == (1, 1)

    collector.stop()
    collector.start()

    assert refs() == left
    until(lambda: collector.ask("/summary")["states"]["stuck"] == 1)
    assert collector.ask("/summary")["states"]["dismissed"] == 1
    listed = collector.ask("/deletions")
    fields(shapes.Deletions, listed)
    assert [(one["state"], one["service"], one["flow"]) for one in listed["deletions"]] == [
        ("done", None, "A-2"),
        ("done", "mailer", None),
    ]


@pytest.fixture(scope="module")
def api(engines: Any) -> Iterator[tuple[str, Stores]]:
    """Of a collector that has nothing."""
    with new_stores(engines.on_folder()) as opened:
        stores = opened()
        with serving(app_of(Told(Standings()), stores)) as address:
            yield address, stores


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({}, 400, "No condition: expected at least one of service, before_unix_nano and flow."),
        ({"service": ""}, 400, "service is '': expected text of 1 to 200 characters."),
        ({"before_unix_nano": -1}, 400, "before_unix_nano is -1: expected nanoseconds since 1970"),
        ({"service": "x", "dry_run": "no"}, 400, "dry_run is 'no': expected true or false."),
        ({"service": "x", "all": True}, 400, "all is True: no such field, expected author, reason, service"),
        ({"service": "x", "author": ""}, 400, "author is '': expected text of 1 to 100 characters."),
        ({"flow": "nobody"}, 404, "no flow 'nobody': expected a flow key, a flow id or a trace id."),
        (
            {"service": "nobody", "dry_run": False},
            404,
            "no span is there of nobody: there is nothing to delete.",
        ),
    ],
)
def test_what_is_wrong_is_named_and_deletes_nothing(
    api: tuple[str, Stores], body: dict[str, Any], status: int, error: str
) -> None:
    address, stores = api
    said = {"author": "ada", "reason": "a test", **body}
    answer = httpx.post(f"{address}/api/v1/deletions", json=said, trust_env=False)

    assert answer.status_code == status
    assert error in answer.json()["error"]
    assert stores.deletions.records() == []


def test_a_page_of_another_site_can_delete_nothing(api: tuple[str, Stores]) -> None:
    address, stores = api
    said = {"author": "ada", "reason": "a test", "service": "x", "dry_run": False}
    for headers, status in (
        ({"origin": "https://evil.example"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
    ):
        answer = httpx.post(f"{address}/api/v1/deletions", json=said, headers=headers, trust_env=False)
        assert answer.status_code == status
    assert stores.deletions.records() == []


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["dismiss", "--reason", "x"], "Name flows by their KEYs, or describe an incident"),
        (["dismiss", "A-0", "--cause", "unknown", "--reason", "x"], "one of the two"),
        (["dismiss", "A-0"], "Missing option '--reason'"),
        (["delete"], "Say what: --service, --before, --flow"),
        (["delete", "--service", "x", "--yes"], "--yes needs --reason TEXT"),
        (["delete", "--before", "yesterday"], "'yesterday': expected an age such as 14d"),
        (["delete", "--before", "2026-11-30"], "a date with its zone"),
        (["delete", "--before", "2026-11-30T08:00:00"], "a date with its zone"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(words: list[str], error: str) -> None:
    done = CliRunner().invoke(choreoscope, words)

    assert done.exit_code == 2
    assert error in " ".join(done.output.split())


@pytest.mark.parametrize(
    ("whole", "cut", "said"),
    [
        (0, 0, "No stored flow loses spans."),
        (1, 0, "1 stored flow loses all its spans."),
        (2, 1, "2 stored flows lose all their spans, 1 loses some of its spans."),
        (0, 2_000, "2,000 stored flows lose some of their spans."),
    ],
)
def test_flows_that_go_are_told_from_flows_that_are_cut(whole: int, cut: int, said: str) -> None:
    """The command said "1 stored flow loses spans" of a flow of which nothing stayed."""
    document = {
        "state": "dry_run",
        "spans": 9,
        "flows": whole + cut,
        "whole_flows": whole,
        "service": None,
        "before_unix_nano": None,
        "flow": "A-1",
        "services": {},
        "days": {},
        "examples": [],
    }

    head = deleted(document).splitlines()[0]

    assert head == f"Would delete 9 spans of the flow A-1: nothing was changed. {said}"
