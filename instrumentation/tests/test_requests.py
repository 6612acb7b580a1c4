"""A request and its reply are one exchange, however the host sends the request."""

import asyncio
import gc

import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.client import JetStreamContext
from nats.js.errors import NoStreamResponseError
from opentelemetry.trace import SpanKind, StatusCode

from .support import Spans, arrived, id_of, links_of, parent_of, until


@pytest.fixture
async def scores(nc: Client) -> None:
    async def answer(message: Msg) -> None:
        await message.respond(b"7")

    await nc.subscribe("score.ask", queue="score", cb=answer)


@pytest.mark.parametrize("old_style", [False, True])
@pytest.mark.usefixtures("scores")
async def test_request_and_reply_are_one_exchange(nc: Client, spans: Spans, old_style: bool) -> None:
    """One span for the request, one for the reply: the inbox between them is plumbing."""
    with spans.tracer.start_as_current_span("check"):
        reply = await nc.request("score.ask", b"A-17", 2, old_style)
    assert reply.data == b"7"
    await until(lambda: spans.handled)
    (asked,), (answered,) = spans.sent, spans.handled
    assert asked.name == "request score.ask"
    assert answered.name == "process score.ask"
    assert (parent_of(answered), links_of(answered)) == (id_of(asked), [id_of(asked)])
    assert (asked.attributes or {})["messaging.operation.type"] == "send"
    assert str((answered.attributes or {})["messaging.nats.reply_to"]).startswith("_INBOX.")
    assert len(spans.all) == 3


@pytest.mark.usefixtures("scores")
async def test_request_lasts_until_its_answer(nc: Client, spans: Spans) -> None:
    async def slow(message: Msg) -> None:
        await asyncio.sleep(0.1)
        await message.respond(b"")

    await nc.subscribe("score.slow", cb=slow)
    await nc.request("score.slow", b"", timeout=2, headers={"ce-id": "e-1"})
    (asked,) = spans.sent
    assert (asked.end_time or 0) - (asked.start_time or 0) >= 100_000_000
    assert (asked.attributes or {})["messaging.message.id"] == "e-1"


async def test_requests_without_responder_or_reply_end_in_errors(nc: Client, spans: Spans) -> None:
    async def silent(message: Msg) -> None:
        """Do not reply."""

    await nc.subscribe("score.silent", cb=silent)
    with pytest.raises(NoRespondersError):
        await nc.request("score.nobody", b"", timeout=1)
    with pytest.raises(NatsTimeoutError):
        await nc.request("score.silent", b"", timeout=0.1)
    assert [(span.attributes or {})["error.type"] for span in spans.sent] == [
        "nats.errors.NoRespondersError",
        "nats.errors.TimeoutError",
    ]


async def test_many_replies_leave_the_context_alone(nc: Client, spans: Spans) -> None:
    """Collecting replies on the host's own inbox is part of the request, not another reaction."""
    for _ in range(3):

        async def answer(message: Msg) -> None:
            await message.respond(b"here")

        await nc.subscribe("who.is.there", cb=answer)
    inbox = nc.new_inbox()
    replies = await nc.subscribe(inbox)
    work = await nc.subscribe("work")
    await nc.publish("work", b"")
    await work.next_msg()  # not kept, but still the cause of what follows
    await nc.publish("who.is.there", b"", reply=inbox)
    for _ in range(3):
        await replies.next_msg()
    await nc.publish("work.done", b"")
    handover_is_over = await nc.subscribe("work")
    await nc.publish("work", b"")
    await handover_is_over.next_msg()
    await until(lambda: len(spans.handled) == 4)
    (done,) = [span for span in spans.sent if span.name == "send work.done"]
    (asked,) = [span for span in spans.sent if span.name == "send who.is.there"]
    assert parent_of(done) == parent_of(asked) is not None
    assert (asked.attributes or {})["messaging.nats.reply_to"] == inbox
    answered = [span for span in spans.handled if span.name == "process who.is.there"]
    assert [parent_of(span) for span in answered] == [id_of(asked)] * 3


async def test_publish_async_ends_with_its_acknowledgement(js: JetStreamContext, spans: Spans) -> None:
    futures = [
        await js.publish_async("orders.placed", b"", headers={"Nats-Msg-Id": name})
        for name in ("a", "b", "a")
    ]
    for future in futures:
        await future
    await js.publish_async_completed()
    await until(lambda: len(spans.sent) == 3)
    assert {span.name for span in spans.sent} == {"send orders.placed"}
    told = sorted(
        (
            str((span.attributes or {})["messaging.message.id"]),
            bool((span.attributes or {}).get("messaging.nats.publish.duplicate", False)),
            (span.attributes or {})["messaging.nats.sequence"],
        )
        for span in spans.sent
    )
    assert told == [("a", False, 1), ("a", True, 1), ("b", False, 2)]
    assert len(spans.all) == 3
    assert spans.kind(SpanKind.CLIENT) == []


async def test_publish_async_without_a_stream_ends_in_its_error(js: JetStreamContext, spans: Spans) -> None:
    future = await js.publish_async("nobody.listens", b"")
    with pytest.raises(NoStreamResponseError):
        await future
    (sent,) = spans.sent
    assert sent.status.status_code is StatusCode.ERROR
    assert (sent.attributes or {})["error.type"] == "nats.js.errors.NoStreamResponseError"


async def test_publish_async_that_nobody_acknowledges_ends_with_its_connection(
    nc: Client, nats_url: str, spans: Spans
) -> None:
    """A message that was sent and never stored is what a reader looks for."""
    await nc.subscribe("plain.swallowed")
    await arrived(nc)
    client = await nats.connect(nats_url)
    stream = client.jetstream()
    await stream.publish_async("plain.swallowed", b"")
    await client.close()
    assert spans.sent == []
    del client, stream
    await until(lambda: gc.collect() >= 0 and len(spans.sent) == 1)
    (sent,) = spans.sent
    assert (sent.name, sent.status.status_code) == ("send plain.swallowed", StatusCode.ERROR)
    assert (sent.attributes or {})["error.type"] == "unacknowledged"


async def test_publish_inside_a_request_of_another_subject_is_a_message(
    nc: Client, js: JetStreamContext, spans: Spans
) -> None:
    """A callback's task may start inside a request and inherit its context, but is not part of it."""
    asked: list[Msg] = []

    async def answer(message: Msg) -> None:
        asked.append(message)
        await nc.publish("plain.caused", b"")
        await message.respond(b"")

    async def ask() -> None:
        await nc.request("score.first", b"", timeout=2)

    await nc.subscribe("score.first", cb=answer)
    await asyncio.gather(ask(), ask())
    await until(lambda: len(spans.handled) == 2)
    assert sorted(span.name for span in spans.sent) == [
        "request score.first",
        "request score.first",
        "send plain.caused",
        "send plain.caused",
    ]
