"""What does a user see of `choreoscope expectations`, and what can a user say with it?"""

import getpass
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from collector.diagnosis.standing import Change, Standings
from tests.conftest import new_stores
from tests.factories import SECOND
from tests.standing_factories import HOUR, Told, app_of, drop, learning, serving, standing
from tests.test_commands import Done, run, said

TRAP = "Bad\x1b[31m Event"


@pytest.fixture
def known() -> Standings:
    """Of a shop that a user looks at now."""
    now = time.time_ns()
    dates: Mapping[str, Any] = {"since": now - 48 * HOUR, "kept": now - 300 * SECOND}
    older = (Change(now - 40 * HOUR, "always", "taken by 20 of 20"),)
    weaker = (*older, Change(now - HOUR, "sometimes", "taken by 30 of the last 60"))
    return Standings(
        (
            standing(**dates, history=older),
            standing(kind="event", event_type="PaymentCaptured", **dates),
            standing(
                "audit",
                state="sometimes",
                share=0.3,
                deadline_ms=None,
                **{**dates, "since": now - HOUR},
                history=weaker,
            ),
            learning(**dates),
            standing("shipping", TRAP, kind="input", event_type="OrderCleared", missed=3, **dates),
            standing("nightly", "OrderShipped", **{**dates, "kept": now - 26 * HOUR}, disused=True),
        ),
        (drop(since=now - 60 * SECOND),),
    )


@pytest.fixture
def told(known: Standings) -> Told:
    return Told(known)


@pytest.fixture
def environment(told: Told, engine: Any) -> Iterator[Mapping[str, str]]:
    """Of a user's shell, with an API that knows what the live part would."""
    with new_stores(engine) as opened, serving(app_of(told, opened())) as address:
        yield {**os.environ, "CHOREOSCOPE_API": address}


def cells(done: Done, service: str) -> list[str]:
    line = next(line for line in done.stdout.splitlines() if line.startswith(service))
    return [cell for cell in line.split("  ") if cell.strip()]


def test_what_is_expected_is_a_table(environment: Mapping[str, str]) -> None:
    done = run("expectations", environment=environment)

    assert (done.returncode, done.stderr) == (0, "")
    head = done.stdout.splitlines()[0].split()
    assert head == [
        *("SERVICE", "AFTER", "PUBLISHES/NEEDS", "STATE", "SHARE", "N", "P50", "P99"),
        *("DEADLINE", "SINCE", "LAST", "MISSES"),
    ]
    assert [cell.strip() for cell in cells(done, "payment")] == [
        *("payment", "StockReserved", "always", "100 %", "1,234"),
        *("80 ms", "240 ms", "5.00 s", "2 d ago", "5 m ago", "0 of 60"),
    ]
    assert re.search(r"^payment +StockReserved +PaymentCaptured +always", done.stdout, re.MULTILINE)
    assert "learning 12 of 20" in " ".join(cells(done, "mailer"))
    assert "needs OrderCleared" in " ".join(cells(done, "shipping"))
    assert max(map(len, done.stdout.splitlines())) < 200


def test_what_fell_changed_and_was_not_seen_is_below(environment: Mapping[str, str]) -> None:
    shown = run("expectations", environment=environment).stdout

    assert "Less happens than normally:\n  audit normally takes 30 % of StockReserved; it took 0" in shown
    assert "nightly after OrderShipped: not seen for 1 d: still expected; forget it?\n" in shown
    assert "expectations forget --event-type OrderShipped --service nightly --reason TEXT\n" in shown
    assert "audit after StockReserved: sometimes: taken by 30 of the last 60\n" in shown
    assert "taken by 20 of 20" not in shown  # that was before yesterday
    assert shown.removesuffix("http://127.0.0.1:8501/expectations\n").endswith(
        "Rests on 4 expected steps; 1 still learning; 1 watched as a share; 1 changed in the last 24 h;"
        " 1 not seen for a day.\n"
    )


def test_one_step_is_shown_with_all_that_ever_changed(environment: Mapping[str, str]) -> None:
    words = ("expectations", "--service", "PAYMENT", "--event-type", "stockreserved")
    shown = run(*words, environment=environment).stdout
    document = json.loads(run(*words, "--format", "json", environment=environment).stdout)

    assert "taken by 20 of 20" in shown
    assert "mailer" not in shown
    assert {one["service"] for one in document["expectations"]} == {"payment"}


def test_names_that_nobody_knows_are_an_answer(environment: Mapping[str, str]) -> None:
    """A script that asks before the first flow came is not wrong."""
    done = run("expectations", "--service", "nobody", "--event-type", "Nothing", environment=environment)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Nothing is known after Nothing of nobody.\n")


def test_text_obeys_nobody(environment: Mapping[str, str]) -> None:
    shown = run("expectations", environment=environment)
    refused = run(
        "expectations",
        "forget",
        "--event-type",
        "Bad Event",
        "--service",
        "shipping",
        "--reason",
        "r",
        environment=environment,
    )

    assert "\x1b" not in shown.stdout + refused.stderr
    assert "Bad\N{REPLACEMENT CHARACTER}[31m Event" in said(refused)
    assert refused.returncode == 1


def test_a_step_is_forgotten_and_kept_again(environment: Mapping[str, str], told: Told) -> None:
    """As a user would: forget, look, think again, with the commands that are shown."""
    where = ("--event-type", "StockReserved", "--service", "payment", "--reason", "it was retired")
    forgotten = run("expectations", "forget", *where, environment=environment)

    assert (forgotten.returncode, forgotten.stderr) == (0, "")
    assert forgotten.stdout.startswith(
        "Forgotten: nothing is expected of payment after StockReserved any more.\n"
    )
    assert "expectations keep --event-type StockReserved --service payment" in forgotten.stdout
    assert told.decided[0].author == getpass.getuser()
    shown = run("expectations", environment=environment).stdout
    assert (
        f"payment after StockReserved: forgotten: no longer expected: it was retired ({getpass.getuser()})"
        in shown
    )

    kept = run(
        "expectations",
        "keep",
        *where[:-1],
        "a mistake",
        "--author",
        "ada",
        "--format",
        "json",
        environment=environment,
    )
    document = json.loads(kept.stdout)
    assert (document["word"], document["author"], document["reason"]) == ("keep", "ada", "a mistake")
    assert "expected of every message: a mistake (ada)" in run("expectations", environment=environment).stdout


@pytest.mark.parametrize(
    ("words", "code", "about"),
    [
        (["forget", "--event-type", "StockReserved", "--service", "payment"], 2, "--reason"),
        (
            ["forget", "--event-type", "A", "--service", "payment", "--reason", ""],
            2,
            "reason is '': expected text of 1",
        ),
        (
            ["keep", "--event-type", "A", "--service", "payment", "--reason", "r", "--author", "x" * 101],
            2,
            "author is",
        ),
        (
            ["keep", "--event-type", "StockReserve", "--service", "payment", "--reason", "r"],
            1,
            "payment after StockReserved",
        ),
        (
            ["--service", "payment", "forget", "--event-type", "A", "--service", "b", "--reason", "r"],
            2,
            "come after 'forget'",
        ),
        (["remember"], 2, "remember"),
    ],
)
def test_what_cannot_be_taken_is_one_line(
    environment: Mapping[str, str], words: list[str], code: int, about: str
) -> None:
    done = run("expectations", *words, environment=environment)

    assert done.returncode == code
    assert about in said(done)


def test_before_anything_is_known_nothing_is_claimed(environment: Mapping[str, str], told: Told) -> None:
    told.snapshot = replace(told.snapshot, standings=Standings())
    assert run("expectations", environment=environment).stdout.startswith("Nothing is known yet: no flow")
    assert run("stuck", environment=environment).stdout.startswith("Nothing can be called stuck yet.\n")
    told.replayed.clear()
    assert "has just started" in run("expectations", environment=environment).stdout


def test_calm_says_what_it_rests_on(environment: Mapping[str, str], told: Told) -> None:
    shown = run("stuck", environment=environment).stdout
    assert shown.startswith("No flow is stuck, but less happens than normally:\n  audit normally takes 30 %")

    told.snapshot = replace(told.snapshot, standings=replace(told.snapshot.standings, drops=()))
    shown = run("stuck", environment=environment).stdout
    assert shown.startswith("Nothing is stuck.\nRests on 4 expected steps; 1 still learning; ")
