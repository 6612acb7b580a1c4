"""Are the messages that a worker handles in one long trace runs of their own?"""

from collections.abc import Mapping
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.queries.flow import place_of
from tests.factories import Value
from tests.scenes import Watch
from tests.telling import Sent, consume, publish, react, receive, tell, work


def runs(around: Sent | None, said: Mapping[str, Value] = {}) -> list[tuple[Sent, Sent]]:
    """Three handlings, one after the other, and what each of them publishes."""
    found = []
    for number in range(3):
        more: dict[str, Any] = {"service": "mailer", "at": 20 + 100 * number, "said": said}
        handling = consume(f"handling {number}", parent=around, took=30, **more)
        made = publish(
            f"mail {number}", parent=handling, service="mailer", subject="mails", at=more["at"] + 9
        )
        found.append((handling, made))
    return found


def flows(*sent: Sent) -> list[set[Sent]]:
    return tell(*sent).flows


def every(found: list[tuple[Sent, Sent]]) -> list[Sent]:
    return [one for run in found for one in run]


@pytest.mark.parametrize("around", [work, receive])
def test_messages_without_context_are_runs_of_their_own(around: Any) -> None:
    """The trace lasts as long as the worker's process: it joined all orders of a day."""
    loop = around("loop", service="mailer", took=9_000)
    found = runs(loop)

    assert flows(loop, *every(found)) == [set(run) for run in found]


def test_handlings_within_a_call_are_one_run() -> None:
    """A request dispatches events within the process, which records no publishing of them."""
    call = work("call", service="mailer", kind=Span.SPAN_KIND_SERVER)
    sent = [call, *every(runs(call))]

    assert flows(*sent) == [set(sent) - {call}]


def test_handlings_of_what_another_service_called_for_are_one_run() -> None:
    """Its broker client records no publishing, and its trace goes on here."""
    call = work("call", service="web")
    inner = work("inner", parent=call, service="mailer")
    sent = every(runs(inner))

    assert flows(call, inner, *sent) == [set(sent)]


def test_handlings_of_what_the_trace_published_are_one_run() -> None:
    loop = work("loop", service="mailer")
    placed = publish("placed", parent=loop, service="mailer")
    sent = [placed, *every(runs(loop))]

    assert flows(loop, *sent) == [set(sent)]


def kept_open(number: int) -> list[list[Sent]]:
    """Records of as many orders, of which each is handled within the handling before it."""
    found: list[list[Sent]] = []
    for n in range(number):
        placed = publish(f"placed {n}", service="web", at=100 * n)
        more: dict[str, Any] = {"service": "billing", "at": 100 * n + 20, "took": 30}
        billing = (
            consume(f"billing {n}", placed, parent=found[-1][1], **more)
            if found
            else react(f"billing {n}", placed, **more)
        )
        billed = publish(f"billed {n}", parent=billing, service="billing", subject="bills", at=100 * n + 30)
        found.append([placed, billing, billed])
    return found


@pytest.mark.parametrize("number", [2, 3])
def test_context_that_stayed_open_joins_no_orders(number: int) -> None:
    """Two leaked records are two orders, as three are three."""
    found = kept_open(number)

    assert flows(*(one for run in found for one in run)) == [set(run) for run in found]


def test_context_that_stayed_open_around_a_poll_joins_no_orders() -> None:
    placed, other = publish("placed"), publish("other", at=100)
    billing = react("billing", placed, service="billing", at=20)
    poll = receive("poll", parent=billing, service="billing", at=110)
    again = consume("again", other, parent=poll, service="billing", at=120)

    assert flows(placed, other, billing, poll, again) == [{placed, billing}, {other, again}]


def test_context_that_stayed_open_joins_no_order_whose_own_was_lost() -> None:
    """The second record came without a context: only its offset tells that it is another one."""
    placed = publish("placed")
    first = react("first", placed, service="billing", said={"messaging.kafka.offset": 1})
    second = consume("second", parent=first, service="billing", at=9, said={"messaging.kafka.offset": 2})

    assert flows(placed, first, second) == [{placed, first}, {second}]


def test_runs_of_one_trace_have_names_of_their_own(watch: Watch) -> None:
    """Under one name, the last of them hid the others in every list."""
    loop = work("loop", service="mailer", took=9_000)
    sent = every(runs(loop))
    for one in (loop, *sent):
        watch.receive([(one.service, one.span)], after_s=1)

    ids = watch.snapshot.flows["id"].to_pylist()
    assert len(set(ids)) == len(ids) == 3
    assert loop.span.trace_id.hex() in ids
    assert sorted(place_of(watch.snapshot, name) or 0 for name in ids) == [0, 1, 2]
