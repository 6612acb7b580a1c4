"""What is told of expectations, of shares that fell, and of what it rests on if nothing is stuck?"""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from collector.diagnosis.declared import Responsible
from collector.diagnosis.standing import Change, Drop, Standing, Standings
from collector.model.answers import Expectations
from collector.model.decisions import Decision
from collector.queries.expectation_list import Only, drop_of, expectations, rests_on
from tests.documents import fields, plain
from tests.factories import NOW, SECOND
from tests.standing_factories import HOUR, drop, learning, standing

ALL = Only()
FORGOTTEN = standing("audit", "OrderPlaced", state="forgotten", deadline_ms=None)


def told(
    *standings: Standing,
    drops: Sequence[Drop] = (),
    decisions: Sequence[Decision] = (),
    only: Only = ALL,
) -> Expectations:
    known = Standings(standings, tuple(drops))
    return expectations(known, decisions, only, NOW, replayed=True)


def test_a_step_is_told_with_all_that_is_known_of_it() -> None:
    (step,) = told(standing()).expectations

    assert (step.kind, step.event_type, step.triggers) == ("reaction", "StockReserved", ["StockReserved"])
    assert (step.state, step.said, step.source) == ("always", "always", "learned")
    assert (step.share, step.n, step.needed, step.missed, step.recent) == (1.0, 1_234, 20, 0, 60)
    assert (step.p50_ms, step.p95_ms, step.p99_ms, step.deadline_ms) == (80.0, 140.0, 240.0, 5_000.0)
    assert step.why == "payment takes StockReserved: always, in 100 % of 1,234 cases."
    fields(Expectations, plain(told(standing(), drops=[drop()])))


@pytest.mark.parametrize(
    ("step", "said", "why"),
    [
        (
            learning(),
            "learning 12 of 20",
            "mailer takes OrderShipped: 12 cases of 20 that make it known.",
        ),
        (
            standing(state="sometimes", share=0.3),
            "sometimes 30 %",
            "payment takes StockReserved: sometimes, in 30 % of 1,234 cases.",
        ),
        (standing(state="declared"), "declared", "payment takes StockReserved: as declared."),
        (FORGOTTEN, "forgotten", "audit takes OrderPlaced: not expected any more."),
        (
            standing(kind="event", event_type="PaymentCaptured", share=0.9968),
            "always",
            "payment publishes PaymentCaptured after StockReserved: always, in 99.6 % of 1,234 cases.",
        ),
        (
            standing("shipping", ["OrderCleared", "PaymentCaptured"], kind="join", event_type="OrderShipped"),
            "always",
            (
                "shipping publishes OrderShipped once it has taken OrderCleared and PaymentCaptured:"
                " always, in 100 % of 1,234 cases."
            ),
        ),
        (
            standing("shipping", ["PaymentCaptured"], kind="input", event_type="OrderCleared", group="s2"),
            "always",
            (
                "shipping (group s2) needs OrderCleared as well, once it has taken PaymentCaptured:"
                " always, in 100 % of 1,234 cases."
            ),
        ),
    ],
)
def test_each_kind_and_state_is_said_in_words(step: Standing, said: str, why: str) -> None:
    (one,) = told(step).expectations

    assert (one.said, one.why) == (said, why)


def test_what_is_not_known_is_null() -> None:
    (step,) = told(standing(pace=None, kept=0, deadline_ms=None)).expectations

    assert (step.p50_ms, step.p95_ms, step.p99_ms) == (None, None, None)
    assert (step.kept_unix_nano, step.deadline_ms) == (None, None)
    assert (step.owner, step.runbook) == (None, None)


def test_a_reaction_is_told_with_what_it_publishes() -> None:
    """The reader asks who does what after what, and that is one line."""
    events = [
        standing(kind="event", event_type="PaymentRefused", share=0.1, state="sometimes"),
        standing(kind="event", event_type="PaymentCaptured", share=0.9, state="sometimes"),
        standing(kind="event", event_type="PaymentBegun", state="forgotten"),
        standing("fraud", kind="event", event_type="OrderCleared"),
    ]
    found = told(standing(), *events).expectations

    assert [one.publishes for one in found if one.kind == "reaction"] == [
        ["PaymentCaptured", "PaymentRefused"]
    ]


def test_who_looks_after_a_service_is_told() -> None:
    found = expectations(
        Standings((standing(), standing("audit"))),
        [],
        Only(),
        NOW,
        replayed=True,
        responsible={"payment": Responsible("team money", "https://wiki/payment")},
        problem="line 3: ...",
    )

    assert found.problem == "line 3: ..."
    assert [(one.service, one.owner, one.runbook) for one in found.expectations] == [
        ("audit", None, None),
        ("payment", "team money", "https://wiki/payment"),
    ]


@pytest.mark.parametrize(
    ("only", "services"),
    [
        (Only(), ["audit", "payment", "shipping"]),
        (Only(service="PAYMENT"), ["payment"]),
        (Only(event_type="stockreserved"), ["payment"]),
        (Only(event_type="OrderCleared"), ["shipping"]),
        (Only(event_type="StockReserved", service="audit"), []),
        (Only(service="pay"), []),
    ],
)
def test_steps_are_chosen_by_exact_names(only: Only, services: list[str]) -> None:
    join = standing("shipping", ["OrderCleared", "PaymentCaptured"], kind="join", event_type="OrderShipped")
    found = told(FORGOTTEN, standing(), join, only=only)

    assert [one.service for one in found.expectations] == services
    assert found.rests_on.expected == 2  # of all, whatever is chosen


def test_history_says_who_and_why() -> None:
    """The reason is in the decision; the change that it made names its time and its author."""
    decision = Decision(NOW, "forget", "OrderPlaced", "audit", "ada", "it was retired")
    history = (
        Change(NOW - HOUR, "always", "taken by 20 of 20"),
        Change(NOW, "forgotten", "no longer expected", "ada"),
    )
    found = told(replace(FORGOTTEN, history=history), decisions=[decision])

    learned, said = found.expectations[0].history
    assert (learned.by, learned.author, learned.reason) == ("learning", None, None)
    assert (said.by, said.author, said.reason) == ("person", "ada", "it was retired")
    assert [(one.word, one.reason) for one in found.decisions] == [("forget", "it was retired")]


def test_the_newest_decisions_are_told_first_and_not_all() -> None:
    decisions = [Decision(NOW + number, "keep", "a", "b", "c", "d") for number in range(1_100)]
    told_of = told(decisions=decisions).decisions

    assert [told_of[0].time_unix_nano, told_of[-1].time_unix_nano] == [NOW + 1_099, NOW + 100]
    assert told(decisions=decisions, only=Only(service="x")).decisions == []


@pytest.mark.parametrize(
    ("fallen", "sentence"),
    [
        (drop(), "audit normally takes 30 % of StockReserved; it took 0 of the last 60."),
        (
            drop("publish", share=0.97, hits=12),
            (
                "audit normally publishes AuditWritten after 97 % of StockReserved;"
                " it did after 12 of the last 60."
            ),
        ),
        (
            drop("follow", share=0.999, hits=3),
            "Normally 99.9 % of StockReserved lead to anything; 3 of the last 60 did.",
        ),
    ],
)
def test_a_share_that_fell_is_one_sentence(fallen: Drop, sentence: str) -> None:
    assert drop_of(fallen).sentence == sentence


def test_calm_says_what_it_rests_on() -> None:
    lately = (
        Change(NOW - 30 * HOUR, "always", "learned"),
        Change(NOW - HOUR, "sometimes", "taken by 30 of the last 60"),
    )
    newly = (Change(NOW - HOUR, "learning", "first seen"), Change(NOW - HOUR, "always", "learned"))
    said = (Change(NOW - HOUR, "forgotten", "no longer expected", "ada"),)
    known = Standings(
        (
            *(standing(f"s{number}") for number in range(10)),
            standing(state="declared", disused=True),
            standing(history=newly),
            learning(),
            learning("other"),
            standing(state="sometimes", history=lately),
            replace(FORGOTTEN, history=said),
            FORGOTTEN,
        ),
        (drop(), drop("follow", hits=3)),
    )

    rests = rests_on(known, NOW)

    assert (rests.expected, rests.learning, rests.sometimes, rests.forgotten) == (12, 2, 1, 2)
    assert (rests.changed_24h, rests.disused) == (2, 1)  # what was learned for the first time is no change
    assert (rests.dropped, rests.ended_more) == (2, 57)
    assert rests.sentence == (
        "Rests on 12 expected steps; 2 still learning; 1 watched as a share; 2 forgotten;"
        " 2 changed in the last 24 h; 1 not seen for a day."
    )
    assert rests_on(Standings(), NOW + SECOND).sentence == "Rests on no expected step."


def test_a_step_that_no_flow_waits_for_is_watched_and_not_counted_as_expected() -> None:
    """Analytics ends a branch: "36 expected steps" promised that a flow without it is stuck."""
    rests = rests_on(Standings((standing("payment"), standing("analytics", deadline_ms=None))), NOW)

    assert (rests.expected, rests.sometimes) == (1, 1)
