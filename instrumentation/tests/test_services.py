"""Services of nats.micro: an error that one answers is seen on both sides, though nothing is raised."""

from typing import Any

import pytest
from nats import micro
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.micro.request import Request, ServiceError
from opentelemetry.instrumentation.nats import NatsInstrumentor
from opentelemetry.trace import StatusCode

from .support import Spans, attributes, until


async def raises(_: Request) -> None:
    raise KeyError("A-17")


async def refuses(_: Request) -> None:
    raise ServiceError("409", "is taken")


async def responds(request: Request) -> None:
    await request.respond_error("404", "no such seat")


async def responds_by_name(request: Request) -> None:
    await request.respond_error(code="404", description="no such seat", data=b"x", headers={"a": "b"})


async def repairs(request: Request) -> None:
    try:
        raise KeyError("A-17")
    except KeyError:
        await request.respond_error("410", "is gone")


async def answers(request: Request) -> None:
    await request.respond(b"7")


async def ask(nc: Client, handler: Any) -> Msg:
    service = await micro.add_service(nc, name="seats", version="1.0.0")
    await service.add_endpoint(name="seats", subject="seats.take", handler=handler)
    try:
        return await nc.request("seats.take", b"", timeout=2)
    finally:
        await service.stop()


@pytest.mark.parametrize(
    ("handler", "handled", "asked", "events"),
    [
        (raises, ("KeyError", "KeyError: 'A-17'"), ("500", "500: KeyError('A-17')"), ["exception"]),
        (refuses, ("409", "409: is taken"), ("409", "409: is taken"), ["exception"]),
        (responds, ("404", "404: no such seat"), ("404", "404: no such seat"), []),
        (responds_by_name, ("404", "404: no such seat"), ("404", "404: no such seat"), []),
        (repairs, ("410", "410: is gone"), ("410", "410: is gone"), ["exception"]),
    ],
)
async def test_an_error_of_a_service_is_on_the_handling_and_on_the_request(
    nc: Client, spans: Spans, handler: Any, handled: Any, asked: Any, events: list[str]
) -> None:
    """Both look well otherwise: the framework catches what is raised, and the reply is a message."""
    await ask(nc, handler)
    await until(lambda: spans.handled)
    (taken,), (sent,) = spans.handled, spans.sent

    assert (taken.status.status_code, sent.status.status_code) == (StatusCode.ERROR, StatusCode.ERROR)
    assert (attributes(taken)["error.type"], taken.status.description) == handled
    assert (attributes(sent)["error.type"], sent.status.description) == asked
    assert [event.name for event in taken.events] == events


async def test_a_service_that_answers_has_no_error(nc: Client, spans: Spans) -> None:
    reply = await ask(nc, answers)
    await until(lambda: spans.handled)

    assert reply.data == b"7"
    assert [span.status.status_code for span in spans.all] == [StatusCode.UNSET] * 2


async def test_a_reply_of_another_language_is_read_in_any_case(nc: Client, spans: Spans) -> None:
    """Services in Go write the headers themselves, and NATS keeps their case."""

    async def answer(message: Msg) -> None:
        await nc.publish(message.reply, b"", headers={"NATS-SERVICE-ERROR": "no"})

    await nc.subscribe("seats.free", cb=answer)
    await nc.request("seats.free", b"", timeout=2)
    (sent,) = spans.sent

    assert (attributes(sent)["error.type"], sent.status.description) == ("_OTHER", "no")


async def test_services_are_left_alone_afterwards(nc: Client, spans: Spans) -> None:
    NatsInstrumentor().uninstrument()
    reply = await ask(nc, responds)

    assert (reply.headers or {})["Nats-Service-Error-Code"] == "404"
    assert list(spans.all) == []
    assert not hasattr(Request.respond_error, "__wrapped__")
