"""Is an event found that a service publishes without saying in which flow?"""

from collections.abc import Sequence

import pytest

from collector.model.flows import State
from tests import documents as answers
from tests.documents import Document
from tests.factories import trace_id
from tests.scenes import Sent, Watch, order
from tests.test_live import findings

AFTER = ("PaymentCaptured", "OrderShipped")


def without_context(key: str, at: int, *, keyed: bool) -> list[Sent]:
    """An order of which payment publishes its event in a trace of its own, and all that follows is there."""
    sent = order(key, at)
    for service, one in sent:
        if not one.name.endswith(AFTER):
            continue
        one.trace_id = trace_id(f"{key}, apart")
        for link in one.links:
            link.trace_id = one.trace_id
        if service == "payment":
            one.ClearField("parent_span_id")
        if not keyed:
            kept = [pair for pair in one.attributes if pair.key != "order.id"]
            del one.attributes[:]
            one.attributes.extend(kept)
    return sent


def told(watch: Watch) -> Sequence[Document]:
    found: Sequence[Document] = answers.stuck(watch.snapshot)["stuck"]
    return found


def test_event_without_context_is_counted_and_told(watch: Watch) -> None:
    """It "published nothing" was said beside forty published events, and sent people to the handler."""
    began = watch.now
    for number in range(12):
        watch.receive(without_context(f"A-{number}", watch.now, keyed=False), after_s=1)
    watch.wait(15)

    assert {(cause, service, event) for _, cause, service, event in findings(watch)} == {
        ("context_lost", "payment", "PaymentCaptured")
    }
    sentence = told(watch)[0]["sentence"]
    assert "payment publishes PaymentCaptured without context since" in sentence
    assert "12 of them" in sentence
    assert told(watch)[0]["since_unix_nano"] >= began


def test_event_whose_flow_key_tells_where_it_belongs_is_not_missed(watch: Watch) -> None:
    """The key alone puts it into its flow: what is inferred counts, and nobody waits for anything."""
    for number in range(12):
        watch.receive(without_context(f"A-{number}", watch.now, keyed=True), after_s=1)
    watch.wait(15)

    assert findings(watch) == []
    assert watch.state("A-3") == State.DONE


@pytest.mark.parametrize("others", [0, 1])
def test_flows_that_are_stuck_for_another_reason_are_not_explained_by_a_few_orphans(
    watch: Watch, others: int
) -> None:
    """One event without context does not explain ten flows that wait."""
    for number in range(others):
        watch.receive(without_context(f"O-{number}", watch.now, keyed=False), after_s=1)
    for number in range(10):
        watch.receive(order(f"A-{number}", watch.now, silent={"payment"}), after_s=1)
    watch.wait(15)

    assert {cause for flow, cause, *_ in findings(watch) if flow.startswith("A")} == {"handler_silent"}


def test_span_whose_parent_has_not_come_has_not_lost_its_context(watch: Watch) -> None:
    """Its sender exports late: the event is in no flow yet, but it says in which it will be."""
    sent = [one for number in range(8) for one in order(f"A-{number}", watch.now)]
    tail = [one for one in sent if one[1].name.endswith(AFTER)]
    watch.receive([one for one in tail if one[0] != "payment"])
    watch.wait(3)

    assert not [one for one in findings(watch, late=True) if one[1] == "context_lost"]
