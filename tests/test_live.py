"""What is stuck, late, failed or done, as time passes and telemetry arrives, late or never?"""

import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.model.flows import State
from collector.queries import stuck as queries
from collector.queries.flow_list import items_of
from collector.store.contracts import Search
from tests import documents as answers
from tests.factories import NOW, pairs
from tests.scenes import MS, Sent, Watch, handling, order, publish, react, without


def findings(watch: Watch, *, late: bool = False) -> list[tuple[str, str, str, str | None]]:
    """(flow, cause, missing service, next event type) of each finding."""
    found = answers.stuck(watch.snapshot, late=late)["stuck"]
    return [(f["flow"], f["cause"], f["missing"]["service"], f["missing"]["next_event_type"]) for f in found]


def test_healthy_order_is_done_with_its_outcome(watch: Watch) -> None:
    """The first page stays empty while all is well: a false alarm costs the trust in all later ones."""
    watch.receive(order("A-1", watch.now))

    assert watch.state("A-1") == State.DONE
    assert findings(watch, late=True) == []
    watch.wait(20)
    stored = watch.flows.named("A-1").to_pylist()[0]
    assert (stored["outcome"], stored["messages"], stored["reactions"]) == ("OrderShipped", 5, 6)


@pytest.mark.parametrize("text", ["a-1", "MAILER", "payment", "stockRes", "OrderShipped"])
def test_flow_that_was_put_away_is_found_by_all_that_happened_in_it(watch: Watch, text: str) -> None:
    """By every service that published or reacted, and by every event, not only the last."""
    watch.receive(order("A-1", watch.now))
    watch.wait(20)
    watch.receive(order("B-1", watch.now, down={"payment"}))

    assert "A-1" not in watch.snapshot.flows["id"].to_pylist()
    assert "A-1" in watch.flows.found(Search(text), 100)["id"].to_pylist()
    assert "A-1" not in watch.flows.found(Search("warehouse"), 100)["id"].to_pylist()


def test_silent_consumer_group_is_late_then_stuck_with_the_service_that_is_missing(watch: Watch) -> None:
    watch.receive(order("A-1", watch.now, down={"payment"}))
    assert watch.state("A-1") == State.RUNNING or watch.state("A-1") == State.LATE
    watch.wait(2)
    assert watch.state("A-1") == State.LATE
    assert findings(watch) == []
    watch.wait(5)

    assert watch.state("A-1") == State.STUCK
    assert findings(watch) == [("A-1", "consumer_down", "payment", "PaymentCaptured")]


def test_flow_is_done_when_the_missing_reaction_comes_after_all(watch: Watch) -> None:
    """Once the service is mended, the list empties by itself."""
    placed = watch.now
    watch.receive(order("A-1", placed, down={"payment"}))
    watch.wait(8)
    assert watch.state("A-1") == State.STUCK
    watch.receive([s for s in order("A-1", placed) if s not in order("A-1", placed, down={"payment"})])

    assert watch.state("A-1") == State.DONE
    assert findings(watch) == []


def test_one_group_works_on_while_one_message_is_not_taken(sure: Watch) -> None:
    """A group that takes later messages is not down: saying so would send someone to the wrong place."""
    sure.receive(order("A-1", sure.now, down={"payment"}))
    for number in range(8):
        sure.receive(order(f"B-{number}", sure.now), after_s=1)

    assert findings(sure) == [("A-1", "unknown", "payment", "PaymentCaptured")]


def test_group_that_works_through_older_messages_is_behind_not_down(watch: Watch) -> None:
    placed = watch.now
    first = order("A-1", placed, down={"payment"})
    second = order("A-2", placed + 1000 * MS, down={"payment"})
    watch.receive([*first, *second])
    watch.wait(8)
    taken = react("payment", "StockReserved", "A-1", at=watch.now)
    captured = publish(
        "payment", "PaymentCaptured", "A-1", at=watch.now, by=handling("payment", "StockReserved", "A-1")
    )
    watch.receive([taken, captured])

    assert ("A-2", "backlog", "payment", "PaymentCaptured") in findings(watch)


def test_handler_that_fails_is_named_with_its_error(watch: Watch) -> None:
    watch.receive(order("A-1", watch.now, failing={"inventory"}))
    watch.wait(8)

    (finding,) = answers.stuck(watch.snapshot)["stuck"]
    assert finding["cause"] == "handler_failed"
    assert "no connection" in finding["sentence"]


def terminated(sent: list[Sent], service: str) -> list[Sent]:
    """*sent*, in which *service* told the broker not to redeliver what it had handled."""
    for name, one in sent:
        if name == service and one.name.startswith("process"):
            one.attributes.extend(pairs({"messaging.nats.outcome": "term"}))
    return sent


def test_message_that_its_consumer_terminated_is_given_up_at_once(watch: Watch) -> None:
    """Waiting for another attempt would be in vain: none will come."""
    watch.receive(terminated(order("A-1", watch.now, failing={"inventory"}), "inventory"))
    watch.wait(2)

    (finding,) = answers.stuck(watch.snapshot)["stuck"]
    assert (finding["state"], finding["cause"]) == ("failed", "gave_up")
    assert "inventory terminated OrderPlaced: no connection." in finding["sentence"]


def test_message_that_was_terminated_without_an_error_is_given_up_when_it_is_overdue(watch: Watch) -> None:
    """A handler may publish after it has settled: before the deadline, nobody can tell."""
    watch.receive(terminated(order("A-1", watch.now, silent={"payment"}), "payment"))
    watch.wait(2)
    assert findings(watch, late=False) == []
    watch.wait(8)

    assert findings(watch) == [("A-1", "gave_up", "payment", "PaymentCaptured")]


def test_terminated_message_of_a_step_that_leads_on_is_no_finding(watch: Watch) -> None:
    watch.receive(terminated(terminated(order("A-1", watch.now), "payment"), "mailer"))
    watch.wait(10)

    assert findings(watch) == []
    assert watch.state("A-1") == State.DONE


def test_handler_that_succeeds_at_its_second_attempt_is_no_finding(watch: Watch) -> None:
    placed = watch.now
    broken = order("A-1", placed, failing={"inventory"})
    watch.receive(broken)
    healthy = [s for s in order("A-1", placed) if s[1].span_id not in {b[1].span_id for b in broken}]
    again = react("inventory", "OrderPlaced", "A-1", at=placed + 900 * MS, attempt=2)
    watch.receive([again, *healthy], after_s=1)
    watch.wait(8)

    assert findings(watch) == []
    assert watch.state("A-1") == State.DONE


def test_handler_that_publishes_nothing_is_silent(watch: Watch) -> None:
    watch.receive(order("A-1", watch.now, silent={"payment"}))
    watch.wait(8)

    assert findings(watch) == [("A-1", "handler_silent", "payment", "PaymentCaptured")]


@pytest.mark.parametrize(("missing", "event"), [("fraud", "OrderCleared"), ("payment", "PaymentCaptured")])
def test_join_that_waits_for_another_is_not_blamed(watch: Watch, missing: str, event: str) -> None:
    """Shipping took one of its two events and waits: the finding is the service that owes the other."""
    watch.receive(order("A-1", watch.now, down={missing}))
    watch.wait(10)

    assert findings(watch) == [("A-1", "consumer_down", missing, event)]


def test_join_that_has_all_it_needs_and_publishes_nothing_is_silent(watch: Watch) -> None:
    watch.receive(order("A-1", watch.now, silent={"shipping"}))
    watch.wait(10)

    assert findings(watch) == [("A-1", "handler_silent", "shipping", "OrderShipped")]


def test_silent_join_is_one_incident_whichever_event_came_last(watch: Watch) -> None:
    """One thing is broken: two cohorts on the first page would suggest that two are."""
    watch.receive(order("A-1", watch.now, silent={"shipping"}, fraud_after=5 * MS))
    watch.receive(order("A-2", watch.now, silent={"shipping"}, fraud_after=60 * MS))
    watch.wait(10)
    answer = answers.stuck(watch.snapshot)

    assert {f["stopped_at"]["event_type"] for f in answer["stuck"]} == {"OrderCleared", "PaymentCaptured"}
    (cohort,) = answer["cohorts"]
    assert (cohort["flows"], cohort["triggers"]) == (2, ["OrderCleared", "PaymentCaptured"])


def test_young_incident_is_told_beside_an_old_one_that_has_more_flows(watch: Watch) -> None:
    """However many orders an outage has stopped, a later incident must be shown, with its orders."""
    for number in range(6):
        watch.receive(order(f"A-{number}", watch.now, down={"payment"}))
    watch.receive(order("B-1", watch.now, silent={"shipping"}))
    watch.wait(10)
    answer = answers.stuck(watch.snapshot)

    assert (answer["total"], answer["flows"]) == (7, 7)
    some = answers.stuck(watch.snapshot, each=2)
    assert [finding["flow"] for finding in some["stuck"]] == ["A-0", "A-1", "B-1"]
    assert some["cohorts"] == answer["cohorts"]


def test_no_incident_is_left_out_where_not_all_can_be_told(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "MOST_CASES", 4)
    for number in range(6):
        watch.receive(order(f"A-{number}", watch.now, down={"payment"}))
    watch.receive(order("B-1", watch.now, silent={"shipping"}))
    watch.wait(10)
    answer = answers.stuck(watch.snapshot)

    assert [finding["flow"] for finding in answer["stuck"]] == ["A-0", "A-1", "A-2", "B-1"]
    assert (answer["total"], answer["flows"], len(answer["cohorts"])) == (7, 7, 2)


def test_reaction_that_ends_a_branch_never_makes_a_flow_stuck(watch: Watch) -> None:
    """Nothing waits for the mailer."""
    watch.receive(order("A-1", watch.now, down={"mailer"}))
    watch.wait(10)

    assert watch.state("A-1") == State.DONE
    assert findings(watch, late=True) == []


@pytest.mark.parametrize(
    "lost",
    [
        [handling("payment", "StockReserved", "A-1")],
        ["A-1/PaymentCaptured"],
        [handling("payment", "StockReserved", "A-1"), "A-1/PaymentCaptured"],
        ["A-1/OrderPlaced"],
        [handling("shipping", "OrderCleared", "A-1")],
    ],
)
def test_lost_telemetry_makes_a_flow_incomplete_not_stuck(watch: Watch, lost: list[str]) -> None:
    """A service whose spans were lost did its work, as the later spans show."""
    watch.receive(without(order("A-1", watch.now), *lost))
    watch.wait(10)

    assert findings(watch, late=True) == []
    assert watch.state("A-1") == State.DONE
    row = watch.flows.named("A-1").to_pylist() or [
        row for row in watch.snapshot.flows.to_pylist() if row["id"] == "A-1"
    ]
    assert row[0]["incomplete"] or lost == [handling("shipping", "OrderCleared", "A-1")]


def test_telemetry_on_its_way_is_not_lost(watch: Watch) -> None:
    """The sender of the first event often exports it last: that is no reason to doubt the picture."""
    sent = order("A-1", watch.now)
    first = [one for one in sent if one not in without(sent, "A-1/OrderPlaced")]
    watch.receive(without(sent, "A-1/OrderPlaced"))

    def incomplete() -> dict[str, bool]:
        shown = items_of(watch.snapshot, np.arange(watch.snapshot.flows.num_rows))
        return {item.id: item.incomplete for item in shown}

    assert incomplete() == {"A-1": False}
    watch.wait(1)
    assert incomplete() == {"A-1": False}
    watch.receive(first)
    assert incomplete() == {"A-1": False}

    watch.receive(without(order("B-1", watch.now), "B-1/OrderPlaced"))
    assert incomplete()["B-1"] is False
    watch.wait(20)
    assert watch.flows.named("B-1")["incomplete"].to_pylist() == [True]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_order_and_repeats_of_arrival_change_nothing(sure: Watch, seed: int) -> None:
    """Exporters send in batches, late, and repeatedly."""
    watch, rng = sure, random.Random(seed)
    key = f"S-{seed}"
    down = rng.choice([set(), {"payment"}, {"fraud"}])
    sent = order(key, watch.now, down=down)
    shuffled = [*sent, *rng.sample(sent, 3)]
    rng.shuffle(shuffled)
    cut = sorted(rng.sample(range(len(shuffled)), 2))
    for part in (shuffled[: cut[0]], shuffled[cut[0] : cut[1]], shuffled[cut[1] :]):
        watch.receive(part, after_s=0.3)
    watch.wait(8)

    assert watch.state(key) == (State.STUCK if down else State.DONE)
    assert [f[2] for f in findings(watch) if f[0] == key] == sorted(down)


def test_snapshot_counts_each_flow_once(watch: Watch) -> None:
    watch.receive(
        [one for n in range(5) for one in order(f"A-{n}", watch.now, down={"payment"} if n % 2 else set())]
    )
    watch.wait(7)

    ids = watch.snapshot.flows["id"].to_pylist()
    assert len(ids) == len(set(ids))
    assert np.bincount(watch.snapshot.state, minlength=5)[State.STUCK] == 2
    assert watch.now > NOW
