"""What does a terminal show of an answer? It is true in each state, and fits whatever spans hold."""

from typing import Any

import click
import pytest

from collector.commands import text
from collector.commands.reading import put
from collector.commands.watching import written_over

SECOND = 10**9
CALM: dict[str, Any] = {
    "replayed": True,
    "drops": [],
    "unlisted": None,
    "unexplained": None,
    "rests_on": {"expected": 12, "sentence": "Rests on 12 expected steps.", "notes": []},
}
HUGE = "tenant-7/" + "x" * 5_000 + "/order-17"


def test_what_is_printed_over_a_longer_line_leaves_nothing_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    """With --watch, "4 flows" stood as "4 flowss are stuck" after a longer line."""
    with written_over():
        put("4 flows\n")
        click.echo("and one")

    assert capsys.readouterr().out == "4 flows\x1b[K\nand one\x1b[K\n"


def item(state: str, **more: Any) -> dict[str, Any]:
    """The entry of a flow that began a minute before 100 s and took two seconds."""
    return {
        "id": "A-1",
        "key": "A-1",
        "state": state,
        "started_unix_nano": 40 * SECOND,
        "last_unix_nano": 42 * SECOND,
        "last_event_type": "OrderPlaced",
        "waiting_for": None,
        "outcome": None,
        "messages": 3,
        **more,
    }


def finding(flow: str, state: str = "stuck", **more: Any) -> dict[str, Any]:
    return {
        "flow": flow,
        "key": flow,
        "state": state,
        "since_unix_nano": 40 * SECOND,
        "sentence": "payment has not taken StockReserved.",
        **more,
    }


def listed(*found: dict[str, Any], total: int, flows: int) -> str:
    cohort = {
        "missing_service": "shipping",
        "triggers": ["OrderCleared", "PaymentCaptured"],
        "cause": "handler_silent",
        "flows": flows,
        "first_unix_nano": 40 * SECOND,
    }
    document = {"stuck": found, "cohorts": [cohort], "total": total, "flows": flows, **CALM}
    return text.stuck(document, 100 * SECOND, flows=True)


@pytest.mark.parametrize(("replayed", "begins"), [(True, "Nothing is"), (False, "Nothing is known yet")])
def test_a_collector_that_has_just_started_calls_nothing_well(replayed: bool, begins: str) -> None:
    document = {"stuck": [], "cohorts": [], "total": 0, "flows": 0, **CALM, "replayed": replayed}
    document["notes"] = []

    for shown in (text.stuck(document, 100 * SECOND, flows=True), text.why(document, "A-1")):
        assert shown.startswith(begins)
        assert ("known yet" in shown) is not replayed


@pytest.mark.parametrize(
    ("state", "more", "cells"),
    [
        ("done", {"outcome": "OrderShipped"}, ["OrderShipped", "1 m ago", "2.00 s", "3"]),
        ("stuck", {"waiting_for": "payment"}, ["payment", "1 m ago", "3"]),
        ("running", {}, ["1 m ago", "3"]),
    ],
)
def test_columns_are_true_in_each_state(state: str, more: dict[str, Any], cells: list[str]) -> None:
    """A finished flow has a duration; any other has only a beginning."""
    head, row = text.flows({"flows": [item(state, **more)], "total": 1}, 100 * SECOND).splitlines()

    assert head.split()[-3:] == ["STARTED", "TOOK", "MESSAGES"]
    assert [cell.strip() for cell in row.split("  ") if cell.strip()] == [state, "A-1", "OrderPlaced", *cells]


def test_long_names_are_cut_in_their_middle() -> None:
    """Their beginning and end tell them apart; JSON has them in full."""
    row = text.flows({"flows": [item("stuck", key=HUGE, last_event_type=HUGE)], "total": 1}, 100 * SECOND)
    stuck = listed(finding(HUGE, sentence=f"{HUGE} has not taken it."), total=1, flows=1)

    for shown in (row, stuck):
        assert "tenant-7/xxx" in shown
        assert "xxx/order-17" in shown
        assert max(map(len, shown.splitlines())) < 220
    assert "has not taken it." in stuck


def test_a_cut_list_counts_all_that_is_stuck() -> None:
    """`--limit 1` must not make an outage look like one order."""
    shown = listed(finding("A-1"), total=300, flows=299)

    assert shown.startswith("299 flows are stuck, the oldest for 1 m.\n")
    assert shown.endswith("The oldest 1 of 300 findings: --limit shows more.")
    assert "OrderCleared and PaymentCaptured" in shown


def test_late_flows_are_not_called_stuck() -> None:
    shown = listed(finding("A-1", "late"), finding("A-2"), total=2, flows=2)

    assert shown.startswith("2 flows are stuck or late, ")
    assert listed(finding("A-1", "failed"), total=1, flows=1).startswith("1 flow is failed for good, ")


DROP = {"sentence": f"audit normally takes 30 % of {HUGE}\x1b; it took 0 of the last 60."}


def test_nothing_is_called_well_without_what_that_rests_on() -> None:
    """387 dead orders once stood under "Nothing is stuck": their steps had not been learned yet."""
    none: dict[str, Any] = {"stuck": [], "cohorts": [], "total": 0, "flows": 0, **CALM}
    learning = {"expected": 0, "sentence": "Rests on no expected step; 3 still learning.", "notes": []}

    assert text.stuck(none, 0) == "Nothing is stuck.\nRests on 12 expected steps."
    assert text.stuck({**none, "rests_on": learning}, 0) == (
        "Nothing can be called stuck yet.\nRests on no expected step; 3 still learning."
    )


def test_what_a_limit_leaves_out_is_no_calm() -> None:
    """What is counted together may be stuck, and nobody would know."""
    note = {"kind": "crowded", "service": "__other__", "text": "More than 2,000 services were seen."}
    rests = {**CALM["rests_on"], "notes": [note]}
    none = {"stuck": [], "cohorts": [], "total": 0, "flows": 0, **CALM, "rests_on": rests}

    assert text.stuck(none, 0).splitlines() == [
        "Nothing is known to be stuck.",
        "Rests on 12 expected steps.",
        "More than 2,000 services were seen.",
    ]


def test_what_ended_flows_are_owed_is_no_calm() -> None:
    note = {"kind": "ended_flows_owed", "service": "fraud", "text": "fraud did not react to OrderPlaced."}
    rests = {**CALM["rests_on"], "notes": [note]}
    none = {"stuck": [], "cohorts": [], "total": 0, "flows": 0, **CALM, "rests_on": rests}

    assert text.stuck(none, 0).splitlines() == [
        "No flow is stuck, but flows that ended are still owed something.",
        "Rests on 12 expected steps.",
        "fraud did not react to OrderPlaced.",
    ]


def test_a_clock_that_was_set_back_makes_nothing_younger_than_nothing() -> None:
    """The collector's times are ahead of this machine's then, for hours."""
    busy = {"stuck": [finding("A-1")], "cohorts": [], "total": 1, "flows": 1, **CALM}

    assert "-" not in text.stuck(busy, 0, flows=True).replace("A-1", "")


def test_nothing_is_called_well_while_flows_left_the_list_with_their_spans() -> None:
    """They stopped, and nobody has said that this is all right."""
    left = {"flows": 3, "before_unix_nano": 0, "sentence": "3 flows that stopped are no longer listed here."}
    document = {"stuck": [], "cohorts": [], "total": 0, "flows": 0, **CALM, "unlisted": left}
    busy = {**document, "stuck": [finding("A-1")], "total": 1, "flows": 1}
    said = "3 flows that stopped are no longer listed here. 'choreoscope flows --state stuck' shows them."

    assert text.stuck(document, 0).splitlines()[:2] == ["Nothing newer is stuck.", said]
    assert said in text.stuck(busy, 0).splitlines()


@pytest.mark.parametrize(
    ("more", "first"),
    [
        ({}, "Nothing else is stuck."),
        ({"rests_on": {**CALM["rests_on"], "expected": 0}}, "Nothing else can be called stuck yet."),
        ({"drops": [{"sentence": "audit took 0 of 60."}]}, "No other flow is stuck, but less happens"),
        ({"unlisted": {"sentence": "3 flows are gone."}}, "Nothing else is known to be stuck."),
    ],
    ids=["calm", "nothing learned", "a share fell", "some are gone"],
)
def test_flows_of_which_nobody_knows_why_they_stopped_come_first(more: dict[str, Any], first: str) -> None:
    """A thousand were stuck, and it said that nothing can be called stuck."""
    left = {"flows": 1_000, "sentence": "1,000 flows are stuck or have failed."}
    document = {"stuck": [], "cohorts": [], "total": 0, "flows": 0, **CALM, "unexplained": left, **more}
    busy = {**document, "stuck": [finding("A-1")], "total": 1, "flows": 1}
    said = f"{left['sentence']} 'choreoscope flows --state stuck,failed' shows them."

    shown = text.stuck(document, 0).splitlines()
    assert shown[0] == said
    assert shown[1].startswith(first)
    assert said in text.stuck(busy, 0).splitlines()


def test_a_flow_that_was_cut_is_not_called_well() -> None:
    """What is no longer known may be what is wrong."""
    note = {"kind": "cut", "ref": None, "text": "Its spans are no longer kept."}
    document = {"stuck": [], "cohorts": [], "replayed": True, "notes": [note]}

    assert text.why(document, "A-1") == "Its spans are no longer kept."


def test_a_share_that_fell_is_no_calm() -> None:
    """No single flow is stuck by it, and yet something is wrong."""
    calm = text.stuck({"stuck": [], "cohorts": [], "total": 0, "flows": 0, **CALM, "drops": [DROP]}, 0)
    busy = {"stuck": [finding("A-1")], "cohorts": [], "total": 1, "flows": 1, **CALM, "drops": [DROP]}

    assert calm.startswith("No flow is stuck, but less happens than normally:\n  audit normally takes 30 %")
    assert calm.endswith("\nRests on 12 expected steps.")
    assert text.stuck(busy, 100 * SECOND).splitlines()[1:4:2] == [
        "Rests on 12 expected steps.",
        calm.splitlines()[1],
    ]
    assert "\x1b" not in calm
    assert max(map(len, calm.splitlines())) < 130
