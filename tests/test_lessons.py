"""What is new in a flow that teaches again, and which flows took another way than a join's?"""

from collections import Counter

import numpy as np
import pyarrow as pa

from collector import conventions
from collector.diagnosis import Lesson, Names
from collector.diagnosis.habits import Habits, Regularity
from collector.diagnosis.needs import Input
from collector.diagnosis.record import record
from collector.stitching import stitch
from tests.factories import NOW, SECOND
from tests.scenes import order, table

PAID, CLEARED, SHIPPED, REFUSED = 1, 2, 3, 4


def lesson(*, heard: int = 0, late: tuple[str, ...] = ()) -> Lesson:
    """Of an order, received a second after NOW; what *late* services sent came a second later."""
    sent = order("A-1", NOW)
    spans = [
        table([one for one in sent if one[0] not in late], NOW + SECOND),
        table([one for one in sent if one[0] in late], NOW + 2 * SECOND),
    ]
    happened = record(stitch(conventions.read(pa.concat_tables(spans))), Names())
    none = np.zeros(1, np.bool_)
    ids = pa.chunked_array([pa.array(["A-1"])])
    return Lesson(happened, ~none, none, np.full(1, heard), ids, NOW + 9 * SECOND)


def test_all_is_new_in_a_flow_that_has_not_taught() -> None:
    whole = lesson()

    assert whole.new_messages.all()
    assert whole.new_reactions.all()
    assert whole.new_emits.all()
    assert whole.names_of(np.array([0])) == ["A-1"]


def test_only_what_came_since_is_new_in_a_flow_that_teaches_again() -> None:
    """Otherwise a flow with a step of 90 s counts its first step twice."""
    again = lesson(heard=NOW + SECOND, late=("shipping",))

    assert again.new_messages.sum() == 1  # OrderShipped
    assert again.new_reactions.sum() == 2
    assert again.new_emits.sum() == 1
    assert again.taught.all()


def came(one: Input, flows: int, *types: int) -> None:
    one.add(flows, dict.fromkeys(types, flows), Counter())


def stayed_away(one: Input, flows: int, *types: int) -> None:
    one.add(0, {}, Counter({types: flows}))


def test_input_that_comes_in_all_flows_is_always_needed() -> None:
    one = Input(Habits(), NOW)
    seen = []
    for flows in (19, 1):
        came(one, flows, PAID, CLEARED, SHIPPED)
        seen.append(one.regularity)

    assert seen == [Regularity.LEARNING, Regularity.ALWAYS]
    assert one.usual() == {PAID, CLEARED, SHIPPED}


def test_flow_with_an_event_that_never_occurs_beside_the_input_took_another_way() -> None:
    """A refused claim is never paid: that is no miss."""
    one = Input(Habits(), NOW)
    came(one, 100, PAID, CLEARED, SHIPPED)
    stayed_away(one, 50, CLEARED, REFUSED)

    assert (one.missed, one.n) == (0, 100)
    assert one.regularity is Regularity.ALWAYS


def test_flow_in_which_nothing_tells_why_is_a_miss() -> None:
    one = Input(Habits(), NOW)
    came(one, 100, PAID, CLEARED, SHIPPED)
    stayed_away(one, 50, CLEARED)

    assert (one.missed, one.n) == (50, 150)
    assert one.regularity is Regularity.SOMETIMES


def test_event_that_is_rare_beside_the_input_is_not_usual() -> None:
    """One refusal that was taken back makes no refused claim wait for its payment."""
    one = Input(Habits(), NOW)
    came(one, 1000, PAID, CLEARED)
    came(one, 1, PAID, CLEARED, REFUSED)

    assert one.usual() == {PAID, CLEARED}


def test_nobody_waits_for_what_comes_in_few_flows_only() -> None:
    """A refusal is needed to release the stock, and still no order waits to be refused."""
    one = Input(Habits(), NOW)
    came(one, 30, CLEARED, REFUSED)
    stayed_away(one, 300, PAID, CLEARED)

    assert one.regularity is Regularity.SOMETIMES
    assert one.share == 30 / 330


def test_input_that_came_after_all_was_no_miss() -> None:
    one = Input(Habits(), NOW)
    came(one, 100, PAID, CLEARED)
    stayed_away(one, 5, CLEARED)
    one.late(5, {PAID: 5, CLEARED: 5, SHIPPED: 5})

    assert (one.came, one.missed) == (105, 0)


def test_kinds_of_flows_without_the_input_are_bounded() -> None:
    one = Input(Habits(), NOW)
    came(one, 100, PAID)
    for kind in range(1000):
        stayed_away(one, 1, CLEARED, 1000 + kind)

    assert one.missed == 0
    assert len(one._without) <= 64
