"""What does a search line ask for? Every text can be read; what means nothing is said with its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.model.conditions import Condition, Erred, IsVariant, Mentions, Name, Within
from collector.model.variant_ids import spelled, variant_of
from collector.queries import QuestionError
from collector.queries.lines import FIELDS, asked, read
from collector.queries.paging import cursor_after, order_of, page
from tests.factories import NOW, SECOND

MS, MINUTE, HOUR, DAY = SECOND // 1000, 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
NOVEMBER_29 = 1_795_910_400 * SECOND  # 2026-11-29T00:00Z
TEN = NOVEMBER_29 + 10 * HOUR


def text(word: str, *, negated: bool = False) -> Mentions:
    return Mentions("text", (Name(word, False, False),), negated)


def named(*names: str, where: str = "named", negated: bool = False) -> Mentions:
    return Mentions(where, tuple(Name(name) for name in names), negated)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "conditions"),
    [
        ("", []),
        (" \t\n ", []),
        # text
        ("A-17", [text("A-17")]),
        ("order  A-17 ", [text("order"), text("A-17")]),
        ('"order A-17"', [text("order A-17")]),
        ('-"order A"', [text("order A", negated=True)]),
        (r'"say \"hi\" \\ there"', [text(r'say "hi" \ there')]),
        ("-17", [text("-17")]),  # the end of a key
        ("urn:order:17", [text("urn:order:17")]),
        ("https://shop/orders?id=17,18", [text("https://shop/orders?id=17,18")]),
        ('"event:17"', [text("event:17")]),
        ("O'Brien 6\"x4\"", [text("O'Brien"), text('6"x4"')]),
        ("a=b >10s ..", [text("a=b"), text(">10s"), text("..")]),
        # names
        ("service:payment", [named("payment")]),
        ("SERVICE:Payment", [named("Payment")]),
        ("service:payment,shipping", [named("payment", "shipping")]),
        ('service:"a, b",c event:x', [named("a, b", "c"), named("x")]),
        ("service: payment", [named("payment")]),
        ("service:urn:x:17", [named("urn:x:17")]),
        ("-event:OrderPlaced", [named("OrderPlaced", negated=True)]),
        ("event:Order*", [Mentions("named", (Name("Order", True, False),))]),
        ("event:*placed", [Mentions("named", (Name("placed", False, True),))]),
        ('event:"Order*"', [named("Order*")]),
        ("waiting:payment", [named("payment", where="waiting")]),
        ("outcome:A outcome:B", [named("A", "B", where="outcome")]),
        ("error:yes", [Erred()]),
        ("error:no", [Erred(negated=True)]),
        ("-error:NO", [Erred()]),
        ("error:payment", [named("payment", where="failures")]),
        ('error:"yes"', [named("yes", where="failures")]),
        (f"variant:{variant_of(['A', 'B']):016X}", [IsVariant((variant_of(["A", "B"]),))]),
        ("variant:b,a,A", [IsVariant((variant_of(["A", "B"]),))]),
        # durations
        ("took:>10s", [Within("took", 10 * SECOND + 1, None)]),
        ("took: >= 10s", [Within("took", 10 * SECOND, None)]),
        ("took:<1m30s", [Within("took", None, 90 * SECOND - 1)]),
        ("took:<=500MS", [Within("took", None, 500 * MS)]),
        ("took:≥1.5h", [Within("took", 90 * MINUTE, None)]),
        ("took:1s..5m", [Within("took", SECOND, 5 * MINUTE)]),
        ("took:..5m", [Within("took", None, 5 * MINUTE)]),
        ("took:2d..", [Within("took", 2 * DAY, None)]),
        ("took:10s", [Within("took", 10 * SECOND, 11 * SECOND - 1)]),
        ("took:=1.5s", [Within("took", 1500 * MS, 1600 * MS - 1)]),
        ("wait:>0", [Within("wait", 1, None)]),
        ('work:">10 s"', [Within("work", 10 * SECOND + 1, None)]),
        ("-took:>10s", [Within("took", 10 * SECOND + 1, None, negated=True)]),
        (f"took:>{'9' * 40}d", [Within("took", 2**63 - 1, None)]),
        # numbers
        ("messages:>50", [Within("messages", 51, None)]),
        ("messages:=50 reactions:3..7", [Within("messages", 50, 50), Within("reactions", 3, 7)]),
        # times
        ("started:>2026-11-29", [Within("started", NOVEMBER_29 + 1, None)]),
        ("started:2026-11-29", [Within("started", NOVEMBER_29, NOVEMBER_29 + DAY - 1)]),
        ("started:2026-11-29..2026-11-30", [Within("started", NOVEMBER_29, NOVEMBER_29 + 2 * DAY - 1)]),
        ("started:2026-11", [Within("started", NOVEMBER_29 - 28 * DAY, NOVEMBER_29 + 2 * DAY - 1)]),
        ("started:>2026-11-29T10:00", [Within("started", NOVEMBER_29 + 10 * HOUR + 1, None)]),
        ("started:<2026-11-29T10:00+01:30", [Within("started", None, NOVEMBER_29 + 510 * MINUTE - 1)]),
        ('started:>="2026-11-29 10:00:30.5Z"', [Within("started", NOVEMBER_29 + 10 * HOUR + 30_500 * MS)]),
        ("started:=2026-11-29t10:00", [Within("started", TEN, TEN + MINUTE - 1)]),
        ("started:>-15m", [Within("started", NOW - 15 * MINUTE + 1, None)]),
        ("started:-15m", [Within("started", NOW - 15 * MINUTE, None)]),
        ("last:-2h..-1h", [Within("last", NOW - 2 * HOUR, NOW - HOUR)]),
        ("last:>9999-12-31", [Within("last", 2**63 - 1, None)]),
    ],
)  # fmt: skip
def test_a_line_that_can_be_read_means_what_it_says(line: str, conditions: list[Condition]) -> None:
    found = read(line, NOW)

    assert list(found.conditions) == conditions
    assert found.problems == ()


@pytest.mark.parametrize(
    ("line", "states"),
    [
        ("", None),
        ("state:stuck", {"stuck"}),
        ("state:Stuck,FAILED", {"stuck", "failed"}),
        ("state:stuck state:failed", {"stuck", "failed"}),  # no flow has two
        ("-state:done", {"stuck", "failed", "late", "running", "dismissed"}),
        ("state:stuck,done -state:done", {"stuck"}),
        ("state:dismissed", {"dismissed"}),
    ],
)
def test_states_are_alternatives(line: str, states: set[str] | None) -> None:
    assert read(line, NOW).states == (None if states is None else frozenset(states))


@pytest.mark.parametrize(
    ("line", "where", "expected"),
    [
        ("took:>tens A-17", ">tens", "took is '>tens': expected a duration with its unit, such as >10s"),
        ("A-17 took:10", "10", "expected a duration with its unit"),
        ("A-17 took:>-5s", ">-5s", "expected a duration"),
        ("A-17 took:5m..1s", "5m..1s", "expected a duration"),
        ("A-17 took:", "took:", "took has no value: expected a duration"),
        ("took: state:stuck A-17", "took:", "took has no value"),
        ("A-17 messages:>1,000", ">1,000", "messages is '>1,000': expected a whole number, such as >50"),
        ("A-17 messages:many", "many", "expected a whole number"),
        ("started:>2026-13-01 A-17", ">2026-13-01", "expected a time, such as >2026-11-29"),
        ("started:>2026-02-30 A-17", ">2026-02-30", "expected a time"),
        ("started:yesterdays A-17", "yesterdays", "expected a time"),
        ("state:stuck,asleep A-17", "asleep", "state is 'asleep': expected stuck, failed"),
        ("A-17 event:*", "*", "expected a name, such as event:OrderPlaced"),
        ("A-17 error:yes,no", "error:yes,no", "error is both yes and no"),
        ("A-17 variant:", "variant:", "variant has no value: expected the id of a variant"),
        ('A-17 service:"pay', '"pay', "The quotes are not closed"),
        ("A-17 sevice:payment", "sevice:payment", "There is no 'sevice:', so it was searched as text. Did"),
        ("A-17 status:stuck", "status:stuck", "Did you mean 'state:'?"),
        ("A-17 " + "x " * 40, "x " * 11, "Only the first 30 conditions count"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_with_its_place_and_the_rest_counts(
    line: str, where: str, expected: str
) -> None:
    found = read(line, NOW)

    (problem,) = found.problems
    assert line[problem.start : problem.end] == where
    assert expected in problem.sentence
    assert text("A-17") in found.conditions


_PIECES = st.one_of(
    st.sampled_from([*(f"{name}:" for name in FIELDS), "-", '"', "\\", ",", "..", ">", "<=", "*", "now"]),
    st.sampled_from(["10s", "1.5h", "2026-11-29", "T10:00", "+01:00", "50", "stuck", "A-17", "a:b", " "]),
    st.text(max_size=6),
)  # fmt: skip


@given(st.lists(_PIECES, max_size=20).map("".join))
def test_any_text_is_read_and_each_place_lies_in_it(line: str) -> None:
    found = read(line, NOW)

    places = [(one.start, one.end) for one in found.problems]
    places += [(one.start, one.end) for one in found.terms]
    assert all(0 <= start < end <= len(line) for start, end in places)
    ends = [0, *(term.end for term in found.terms)]
    assert all(term.start >= end for term, end in zip(found.terms, ends, strict=False))
    assert all(
        limit is None or abs(limit) < 2**63
        for one in found.conditions
        if isinstance(one, Within)
        for limit in (one.low, one.high)
    )


READABLE = ["A-17", "service:payment", "took:>10s", 'event:"a b"', "started:>-15m", "messages:3", "error:yes"]


@given(
    st.lists(st.sampled_from(READABLE), max_size=8),
    st.lists(st.sampled_from(["took:>x", "state:y", "messages:x", "started:9"]), max_size=8),
    st.randoms(),
)
def test_every_part_that_can_be_read_counts_whatever_stands_beside_it(good, bad, random) -> None:  # type: ignore[no-untyped-def]
    parts = [*good, *bad]
    random.shuffle(parts)
    found = read(" ".join(parts), NOW)

    alone = [condition for part in parts if part in good for condition in read(part, NOW).conditions]
    assert list(found.conditions) == alone
    assert len(found.problems) == len(bad)


def test_states_beside_the_line_must_hold_as_well() -> None:
    both = asked("state:stuck,done", NOW, state="done,late")
    none = asked("state:stuck", NOW, state="done")

    assert (both.states, both.search.states) == (["done"], (0,))
    assert IsVariant(()) in none.search.conditions  # which no flow meets
    with pytest.raises(QuestionError, match="state is 'asleep': expected done, running"):
        asked("", NOW, state="asleep")


@pytest.mark.parametrize("sort", ["", "state", "-took", "flow"])
def test_a_cursor_leads_on_in_its_own_order_only(sort: str) -> None:
    order = order_of(sort)
    place = ("A-1" if sort == "flow" else 3, NOW, "A-1")
    cursor = cursor_after(place, order)

    assert page(7, cursor, order).after == place
    with pytest.raises(QuestionError, match="expected the next_cursor of an earlier answer"):
        page(7, cursor, order_of("messages"))


def test_an_order_that_is_not_known_is_refused() -> None:
    with pytest.raises(QuestionError, match=r"sort is 'took;': expected state, flow, .*- before it"):
        order_of("took;")


def test_the_id_of_a_variant_depends_on_its_event_types_alone() -> None:
    """It is stored, and stands in links: no order, case or process may change it."""
    assert variant_of(["B", "a", "A"]) == variant_of(iter("AB"))
    assert spelled(variant_of(["OrderPlaced", "StockReserved"])) == "340fd58ff438637c"
    assert variant_of([]) == 0
