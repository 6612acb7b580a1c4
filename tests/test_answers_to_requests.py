"""Are a request and its answer one exchange, whatever the queue of the answer is called?"""

import pytest

from tests.telling import Sent, consume, publish, react, tell

QUEUE = "amq.gen-Qm81"


def exchange(how: str) -> list[Sent]:
    """web asks pricer, which answers to web's own queue."""
    asked = publish("asked", subject="prices", service="web")
    pricing = react("pricing", asked, service="pricer", at=5)
    answer = publish("answer", parent=pricing, subject=QUEUE, service="pricer", at=7)
    said = {"messaging.destination.name": QUEUE}
    if how == "parent":
        return [asked, pricing, answer, react("heard", answer, service="web", said=said, at=9)]
    return [asked, pricing, answer, consume("heard", answer, service="web", said=said, at=9)]


@pytest.mark.parametrize("how", ["parent", "link"])
def test_answer_to_a_generated_queue_is_no_event(how: str) -> None:
    """The queue's name, new with each process, was an event type with a reaction that may be missed."""
    asked, pricing, answer, heard = sent = exchange(how)

    told = tell(*sent)
    assert told.messages == {asked: {asked, answer, heard}}
    assert told.reactions == {pricing: {pricing}}
    assert told.flows == [{asked, pricing}]
    (request,) = told.document["messages"]
    assert request["request"] is True


def test_event_from_a_queue_with_a_generated_name_is_a_reaction() -> None:
    """Each instance subscribes with a queue that the broker names."""
    placed = publish("placed", subject="shop", service="web")
    showing = react("showing", placed, said={"messaging.destination.name": QUEUE})

    assert tell(placed, showing).deliveries == {(placed, showing)}
