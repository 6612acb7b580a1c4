"""Is a job that is scheduled, and sent when it is due, one message?"""

from typing import Any

import pytest

from tests.telling import Sent, consume, publish, tell, work

JOB = {"messaging.system": "sidekiq", "messaging.destination.name": "low"}


def due(scheduled: Sent, said: dict[str, str], *, how: str = "link") -> list[Sent]:
    """The poller, what it sends, and its handling."""
    poll = work("poll", service="worker", at=60_000)
    more: dict[str, Any] = {"said": JOB | said, "service": "worker", "at": 60_001}
    if how == "link":
        sent = publish("sent", parent=poll, links=[scheduled], **more)
    else:
        sent = publish("sent", parent=scheduled, **more)
    return [poll, sent, consume("handled", sent, service="worker", said=JOB, at=60_010)]


@pytest.mark.parametrize("how", ["link", "parent"])
@pytest.mark.parametrize("name", ["messaging.message.id", "messaging.message_id", "cloudevents.event_id"])
def test_scheduled_job_is_one_message(name: str, how: str) -> None:
    """What was scheduled waited for ever, beside a flow that began with the poller."""
    scheduled = publish("scheduled", said={**JOB, name: "j-4"}, service="shop")
    poll, sent, handled = due(scheduled, {name: "j-4"}, how=how)

    told = tell(handled, sent, poll, scheduled)
    assert told.messages == {scheduled: {scheduled, sent}}
    assert told.deliveries == {(scheduled, handled)}
    assert told.flows == [{scheduled, handled}]


def test_name_tells_that_a_job_without_an_id_is_scheduled() -> None:
    scheduled = work("s", called="low scheduled", kind=4, said=JOB, service="shop")
    poll, sent, handled = due(scheduled, {})

    assert tell(handled, sent, poll, scheduled).messages == {scheduled: {scheduled, sent}}


@pytest.mark.parametrize(
    "said",
    [
        {"messaging.message.id": "j-5"},
        {"messaging.message.id": "j-4", "messaging.destination.name": "dead"},
        {"messaging.message.id": "j-4", "messaging.system": "kafka"},
        {},
    ],
)
def test_send_of_another_message_is_another_message(said: dict[str, str]) -> None:
    """A dead letter, a copy for another broker, or anything that refers to what was published before."""
    scheduled = publish("placed", said={**JOB, "messaging.message.id": "j-4"}, service="shop")
    poll, sent, handled = due(scheduled, said)

    assert tell(scheduled, poll, sent, handled).messages.keys() == {scheduled, sent}


def test_what_a_handler_sends_again_is_another_message() -> None:
    said = JOB | {"messaging.message.id": "j-4"}
    placed = publish("placed", said=said)
    failing = consume("failing", placed, service="worker", said=said)
    again = publish("again", parent=failing, service="worker", links=[placed], said=said)

    assert tell(placed, failing, again).messages.keys() == {placed, again}
