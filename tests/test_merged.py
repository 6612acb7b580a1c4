"""What is expected if some of it is declared? By the shop of `scenes`, learned or not."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector import conventions
from collector.diagnosis import Demands, Expectation, Expected, Learner, Lesson, Names
from collector.diagnosis.declared import Declared, DeclaredJoin, DeclaredReaction, Responsible
from collector.diagnosis.expected import FOREVER
from collector.diagnosis.merged import merged
from collector.diagnosis.record import Record, record, type_of
from collector.stitching import stitch
from tests.factories import NOW, SECOND
from tests.scenes import Sent, order, publish, react, table

PAYMENT = DeclaredReaction("StockReserved", "payment", publishes=("PaymentCaptured", "PaymentDeclined"))
SHIPPING = DeclaredJoin("shipping", ("PaymentCaptured", "OrderCleared"), ("OrderShipped",), 60_000)


def happened(sent: list[Sent], names: Names) -> Record:
    return record(stitch(conventions.read(table(sent, NOW + 60 * SECOND))), names)


def nothing_learned() -> Expected:
    return Learner(Names()).expected()


@cache
def learned() -> Expected:
    """What 40 healthy orders teach."""
    learner = Learner(Names())
    sent = [one for number in range(40) for one in order(f"L-{number}", NOW, fraud_after=number * 10**6)]
    flows = happened(sent, learner.known.names)
    ids = pa.chunked_array([pa.array([""] * flows.flows)])
    learner.learn(Lesson.of(flows, np.ones(flows.flows, np.bool_), ids))
    return learner.expected()


def code(expected: Expected, event_type: str) -> int:
    return expected.names.event_types.code(event_type)


def steps(expected: Expected) -> Mapping[tuple[str, str, str], Expectation]:
    """By event type, service and group."""
    return {(one.triggers[0], one.service, one.group): one for one in expected.steps.values()}


def places(expected: Expected) -> Mapping[tuple[str, str, str], int]:
    return {(one.triggers[0], one.service, one.group): step for step, one in expected.steps.items()}


def owed(expected: Expected, sent: list[Sent]) -> Collection[tuple[str, float]]:
    """The service and the deadline, in seconds, of all that the flows of *sent* owe."""
    entries, _ = Demands(expected).owed(happened(sent, expected.names))
    names = expected.names
    return {
        (names.services.names[names.service_of(step)], deadline / SECOND)
        for step, deadline in zip(entries.step.tolist(), entries.deadline.tolist(), strict=True)
    }


def test_nothing_declared_changes_nothing() -> None:
    """An owner is no expectation. The same object spares the tick its work."""
    before = learned()

    assert merged(before, Declared()) is before
    assert merged(before, Declared(services={"payment": Responsible("Team Payments")})) is before


def test_the_first_flow_owes_what_is_declared() -> None:
    """Learned expectations need 20 examples: 387 dead orders once stood under "Nothing is stuck"."""
    declared = Declared((replace(PAYMENT, within_ms=30_000),))
    before = nothing_learned()

    assert owed(merged(before, declared), order("A-1", NOW, down={"payment"})) == {("payment", 30.0)}
    assert owed(merged(before, declared), order("A-1", NOW, silent={"payment"})) == {("payment", 30.0)}
    assert owed(merged(before, declared), order("A-1", NOW)) == set()
    assert owed(before, order("A-1", NOW, down={"payment"})) == set()


def test_a_reaction_that_publishes_nothing_is_owed_if_it_is_declared() -> None:
    """What is learned leaves out steps that end a branch; a person may care about them all the same."""
    sent = order("A-1", NOW, down={"mailer"})
    declared = Declared((DeclaredReaction("OrderPlaced", "mailer", publishes=()),))

    assert owed(learned(), sent) == set()
    assert {service for service, _ in owed(merged(learned(), declared), sent)} == {"mailer"}


def test_a_declared_deadline_wins_and_the_pace_stays_learned() -> None:
    """A deadline alone must not end what else was expected: payment still owes an event."""
    before = steps(learned())["StockReserved", "payment", "payment"]
    expected = merged(learned(), Declared((DeclaredReaction("StockReserved", "payment", within_ms=120_000),)))
    after = steps(expected)["StockReserved", "payment", "payment"]

    assert (after.deadline_ms, after.publish_deadline_ms) == (120_000, 120_000)
    assert (after.react, after.publish, after.share, after.last) == (
        before.react,
        before.publish,
        before.share,
        before.last,
    )
    assert (after.emits, after.always_emits) == (before.emits, True)
    assert (before.source, after.source) == ("learned", "declared")
    assert expected.first_seen[places(expected)["StockReserved", "payment", "payment"]] == 0


def test_what_is_not_declared_stays_as_it_is_learned() -> None:
    before, after = learned(), merged(learned(), Declared((PAYMENT,)))
    changed = {step for step in after.steps if after.steps[step] != before.steps.get(step)}

    assert {after.steps[step].service for step in changed} == {"payment"}
    assert after.joins == before.joins
    assert after.joined == before.joined


def test_without_a_deadline_the_floor_counts_and_nothing_is_late_before() -> None:
    """A pace of no examples would call every flow late at once."""
    expected = merged(nothing_learned(), Declared((PAYMENT,)))
    (payment,) = expected.steps.values()

    assert payment.deadline_ms == payment.react.p99_ms == expected.floor / 10**6
    assert payment.react.n == 0
    assert payment.emits == (("PaymentCaptured", 0.5), ("PaymentDeclined", 0.5))


def test_an_optional_reaction_is_not_owed_but_its_event_is() -> None:
    expected = merged(learned(), Declared((replace(PAYMENT, optional=True),)))
    payment = steps(expected)["StockReserved", "payment", "payment"]

    assert payment.until == 0
    assert (payment.always_emits, payment.emits_until) == (True, FOREVER)
    assert {service for service, _ in owed(expected, order("A-1", NOW, silent={"payment"}))} == {"payment"}


def test_nothing_published_is_not_the_same_as_nothing_said() -> None:
    expected = merged(learned(), Declared((DeclaredReaction("StockReserved", "payment", publishes=()),)))

    assert owed(expected, order("A-1", NOW, silent={"payment"})) == set()
    assert owed(learned(), order("A-1", NOW, silent={"payment"})) != set()


# Groups


def test_a_service_without_its_group_means_the_group_that_is_known() -> None:
    before = nothing_learned()
    names = before.names
    happened([("payment", react("payment", "StockReserved", "A-1", at=NOW)[1])], names)
    declared = Declared((PAYMENT,))
    by_name = merged(before, declared)
    (guessed,) = by_name.steps

    other = names.groups.code("payment-workers")
    seen = type_of(guessed) + ((names.services.code("payment") * names.groups.limit + other) << 24)
    old = type_of(guessed) + (
        (names.services.code("payment") * names.groups.limit + names.groups.code("old")) << 24
    )
    by_sight = merged(before, declared, {old: 1, seen: 2})

    assert [one.group for one in by_name.steps.values()] == ["payment"]
    assert [one.group for one in by_sight.steps.values()] == ["payment-workers"]
    assert [one.group for one in merged(by_sight, declared, {old: 3}).steps.values()] == ["payment-workers"]


def test_a_named_group_is_that_group() -> None:
    expected = merged(learned(), Declared((replace(PAYMENT, group="payment-eu"),)))

    assert {group for _, service, group in steps(expected) if service == "payment"} == {
        "payment",
        "payment-eu",
    }


# Joins


def test_a_declared_join_is_owed_from_the_first_flow() -> None:
    """Each of its inputs must be taken, and then it must publish; alone none of them owes an event."""
    expected = merged(nothing_learned(), Declared(joins=(SHIPPING,)))
    ((needed, join),) = expected.joins

    assert set(join.triggers) == {"PaymentCaptured", "OrderCleared"}
    assert (join.emits, join.deadline_ms, join.source) == ((("OrderShipped", 1.0),), 60_000, "declared")
    assert expected.joined == set(needed) == set(expected.steps)
    assert {one.always_emits for one in expected.steps.values()} == {False}
    assert owed(expected, order("A-1", NOW, silent={"shipping"})) == {("shipping", 60.0)}
    assert owed(expected, order("A-1", NOW, down={"shipping"})) == {("shipping", 60.0)}
    assert owed(expected, order("A-1", NOW)) == set()


def test_a_declared_join_replaces_the_learned_one() -> None:
    """Two joins that lead to one event would both be owed."""
    more = replace(SHIPPING, needs=(*SHIPPING.needs, "AddressChecked"))
    expected = merged(learned(), Declared(joins=(more,)))

    assert [len(needed) for needed, _ in learned().joins] == [2]
    assert [len(needed) for needed, _ in expected.joins] == [3]


def test_a_reaction_that_is_declared_to_suffice_ends_a_learned_join() -> None:
    alone = DeclaredReaction("PaymentCaptured", "shipping", publishes=("OrderShipped",))
    expected = merged(learned(), Declared((alone,)))

    assert expected.joins == ()
    assert places(expected)["PaymentCaptured", "shipping", "shipping"] not in expected.joined


def test_a_declared_reaction_keeps_its_deadline_in_a_join() -> None:
    taking = DeclaredReaction("OrderCleared", "shipping", within_ms=7_000)
    expected = merged(nothing_learned(), Declared((taking,), (SHIPPING,)))
    reaction = steps(expected)["OrderCleared", "shipping", "shipping"]

    assert (reaction.deadline_ms, reaction.emits) == (7_000, (("OrderShipped", 1.0),))
    assert places(expected)["OrderCleared", "shipping", "shipping"] in expected.joined


def test_a_join_waits_for_each_input_but_not_where_a_flow_took_another_way() -> None:
    """A declined payment is none that was forgotten."""
    declared = Declared((PAYMENT,), (SHIPPING,), ends=frozenset({"OrderCancelled"}))
    expected = merged(nothing_learned(), declared)
    waits = {type_of(one.step): one for one in expected.gathers}
    captured, cleared = code(expected, "PaymentCaptured"), code(expected, "OrderCleared")

    assert set(waits) == {captured, cleared}
    assert {one.deadline_ms for one in waits.values()} == {60_000}
    assert (waits[captured].publisher, waits[cleared].publisher) == ("payment", None)
    ends = {code(expected, "OrderCancelled")}
    assert waits[captured].elsewhere == {code(expected, "PaymentDeclined"), *ends}
    assert waits[cleared].elsewhere == ends


def test_a_learned_join_waits_for_nothing_that_nobody_publishes_any_more() -> None:
    """Who ignores payment does not want to hear that shipping waits for it."""
    waiting = replace(learned(), gathers=merged(learned(), Declared(joins=(SHIPPING,))).gathers)
    captured = code(waiting, "PaymentCaptured")
    for declared in (
        Declared(ignored_services=frozenset({"payment"})),
        Declared((replace(PAYMENT, publishes=()),)),
    ):
        expected = merged(waiting, declared)
        assert {type_of(one.step) for one in expected.gathers} == {code(waiting, "OrderCleared")}
        assert len(expected.joins) == 1
    ended = merged(waiting, Declared(ends=frozenset({"StockReserved"})))
    (wait,) = (one for one in ended.gathers if type_of(one.step) == captured)
    assert code(ended, "StockReserved") in wait.elsewhere


# Ends, and what is ignored


def test_an_event_that_ends_flows_is_an_outcome_and_owes_nothing_learned() -> None:
    expected = merged(learned(), Declared(ends=frozenset({"StockReserved"})))
    reserved = code(expected, "StockReserved")

    assert reserved not in learned().ending_types
    assert reserved in expected.ending_types
    assert owed(expected, order("A-1", NOW, down={"payment"})) == set()
    declared = Declared((PAYMENT,), ends=frozenset({"StockReserved"}))
    assert owed(merged(learned(), declared), order("A-1", NOW, down={"payment"})) != set()


def test_an_event_after_which_something_is_declared_ends_nothing() -> None:
    """It would be the outcome of flows that go on."""
    invoice = DeclaredReaction("OrderShipped", "billing", publishes=("InvoiceSent",))

    def ends(one: DeclaredReaction) -> bool:
        expected = merged(learned(), Declared((one,)))
        return code(expected, "OrderShipped") in expected.ending_types

    assert ends(replace(invoice, optional=True))
    assert not ends(invoice)


@pytest.mark.parametrize(
    "declared",
    [
        Declared(ignored_services=frozenset({"payment"})),
        Declared(ignored_events=frozenset({"StockReserved"})),
    ],
)
def test_what_is_ignored_owes_nothing(declared: Declared) -> None:
    expected = merged(learned(), declared)

    assert owed(learned(), order("A-1", NOW, down={"payment"})) != set()
    assert owed(expected, order("A-1", NOW, down={"payment"})) == set()
    assert expected.ignored_types | expected.ignored_services


def test_a_join_without_one_of_its_steps_is_none() -> None:
    expected = merged(learned(), Declared(ignored_events=frozenset({"OrderCleared"})))

    assert expected.joins == ()
    assert expected.joined <= set(expected.steps)


# Whatever is declared

EVENTS = st.sampled_from(["OrderPlaced", "StockReserved", "PaymentCaptured", "OrderCleared", "New"])
SERVICES = st.sampled_from(["payment", "shipping", "fraud", "new"])
WITHIN = st.none() | st.sampled_from([1.0, 60_000.0])
REACTIONS = st.builds(
    DeclaredReaction,
    EVENTS,
    SERVICES,
    st.none() | st.just("group"),
    st.none() | st.lists(EVENTS, max_size=2, unique=True).map(tuple),
    WITHIN,
    st.booleans(),
)
NEEDS = st.lists(EVENTS, min_size=2, max_size=3, unique=True).map(tuple)
JOINS = st.builds(DeclaredJoin, SERVICES, NEEDS, EVENTS.map(lambda one: (one,)), WITHIN)
DECLARED = st.builds(
    Declared,
    st.lists(REACTIONS, max_size=3).map(tuple),
    st.lists(JOINS, max_size=2).map(tuple),
    st.frozensets(EVENTS, max_size=1),
    st.frozensets(EVENTS, max_size=1),
    st.frozensets(SERVICES, max_size=1),
)


@given(DECLARED, st.booleans())
def test_the_parts_of_a_merge_fit_together(declared: Declared, is_learned: bool) -> None:
    """`Demands` looks up each step of a join, and when each step was first seen."""
    before = learned() if is_learned else nothing_learned()
    expected = merged(before, declared)

    assert expected.first_seen.keys() == expected.steps.keys()
    assert expected.joined <= expected.steps.keys()
    assert [needed for needed, _ in expected.joins] == sorted({needed for needed, _ in expected.joins})
    assert all(needed == tuple(sorted(set(needed))) for needed, _ in expected.joins)
    assert {step for needed, _ in expected.joins for step in needed} <= expected.steps.keys()
    assert {step for one in expected.gathers for step in one.steps} <= expected.steps.keys()
    for codes in (expected.known_types, expected.ending_types):
        assert codes.tolist() == sorted(set(codes.tolist()))
    assert {code(expected, name) for name in declared.ends} <= {*expected.ending_types.tolist()}
    assert merged(expected, declared).steps.keys() == expected.steps.keys()
    owed(expected, [publish("order", "OrderPlaced", "A-1", at=NOW)])
