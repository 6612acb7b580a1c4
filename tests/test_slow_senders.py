"""Can whoever begins and does not end keep others out, or fill the memory?"""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from collector.config import Config
from collector.ingest.receivers.turns import Turns
from collector.store.clickhouse.connections import Database
from collector.web import patience as serving
from collector.web.bodies import SlowError, receive
from collector.web.budget import Budget, OverloadError
from collector.web.patience import Patience
from collector.web.serving import HttpServer, listen
from tests.factories import protobuf, request, span
from tests.half_sending import Connection, HalfCall, answer_of, connected, http_head
from tests.running import Ingest, ingest

MIB = 1024 * 1024
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
KIND = {"content-type": "application/x-protobuf"}
SHORT = Patience(connections=4, header_s=0.4, header_bytes=4_096, idle_s=0.6, unread_s=0.5)


async def sent(receivers: Ingest) -> int:
    """The status of the answer to a sender who does nothing wrong."""
    body = protobuf(request(span(f"{time.time_ns():x}")))
    return (await receivers.http.post("/v1/traces", content=body, headers=KIND, timeout=20)).status_code


async def begin(connection: Connection, size: int, come: int) -> None:
    connection[1].write(http_head(size) + bytes(come))
    await connection[1].drain()


async def test_half_sent_bodies_count_and_give_way(database: Database) -> None:
    async with (
        ingest(database, Config(queue_bytes=4 * MIB)) as receivers,
        contextlib.AsyncExitStack() as held,
    ):
        halves = [await held.enter_async_context(connected(receivers.http_port)) for _ in range(12)]
        for half in halves:
            await begin(half, 2 * MIB, MIB)
        async with asyncio.timeout(20):
            while receivers.refused("overloaded") < 8:  # noqa: ASYNC110  # a counter has no event
                await asyncio.sleep(0.05)
        until = time.monotonic() + 20
        while await sent(receivers) != 200:
            assert time.monotonic() < until, "the half-sent bodies keep everybody out"
            await asyncio.sleep(0.2)
        refused = [one for one in halves if one[0].at_eof() or b"503" in await first_of(one)]
        assert len(refused) >= 9


async def first_of(connection: Connection) -> bytes:
    with contextlib.suppress(TimeoutError):
        return await asyncio.wait_for(connection[0].read(100), 0.2)
    return b""


async def test_budget_is_never_exceeded_and_given_back() -> None:
    refused: list[int] = []
    budget = Budget(100, lambda: refused.append(1))
    with budget.share() as first, budget.share() as second:
        first.grow(60)
        second.grow(40)
        with pytest.raises(OverloadError):
            second.grow(1)
        first.settle(20)
        second.settle(80)
        assert (budget.held, len(refused)) == (100, 1)
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        second.keep_until(answer)
    assert budget.held == 80
    answer.set_exception(OverloadError())
    await asyncio.sleep(0)
    assert budget.held == 0
    with budget.share() as alone:
        alone.grow(1_000)  # one request may be larger than the limit
        with budget.share() as other, pytest.raises(OverloadError):
            other.grow(1)
    assert budget.held == 0


async def chunks(count: int, every_s: float) -> AsyncIterator[bytes]:
    for _ in range(count):
        await asyncio.sleep(every_s)
        yield bytes(20_000)


async def test_body_has_its_time_and_more_while_it_comes_fast_enough() -> None:
    with pytest.raises(SlowError, match="expected all of it within"):
        await receive(chunks(2, 0.4), "", MIB, seconds=0.2)
    assert len(await receive(chunks(6, 0.1), "", MIB, seconds=0.3)) == 120_000


async def test_turn_of_the_slowest_goes_to_whoever_waits() -> None:
    turns = Turns(2)
    ended = []

    async def slow(name: int) -> None:
        try:
            async with turns.turn():
                await asyncio.sleep(20)
        except SlowError:
            ended.append(name)

    tasks = [asyncio.create_task(slow(name)) for name in range(2)]
    await asyncio.sleep(0.1)
    async with asyncio.timeout(5), turns.turn():
        assert ended == [0]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(1), turns.turn(), turns.turn():
        pass


async def test_half_sent_calls_over_grpc_keep_nobody_out(database: Database) -> None:
    async with ingest(database) as receivers, contextlib.AsyncExitStack() as held:
        halves = []
        for _ in range(12):
            half = HalfCall(await held.enter_async_context(connected(receivers.grpc_port)), 2 * MIB, MIB)
            halves.append(half)
            held.callback(asyncio.create_task(half.run()).cancel)
        await asyncio.sleep(0.3)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{receivers.grpc_port}") as channel:
            await channel.unary_unary(EXPORT)(protobuf(request(span("behind"))), timeout=20)
        assert receivers.refused("slow") >= 1
        assert any(half.answered.is_set() for half in halves)


async def test_call_without_a_message_is_told(database: Database) -> None:
    async with (
        ingest(database) as receivers,
        grpc.aio.insecure_channel(f"127.0.0.1:{receivers.grpc_port}") as channel,
    ):
        call = channel.stream_unary(EXPORT)(timeout=10)
        await call.done_writing()
        with pytest.raises(grpc.aio.AioRpcError, match="no message"):
            await call


@pytest.mark.parametrize(
    "begun",
    [b"", b"POST /v1/traces HTTP/1.1\r\nhost: x\r\n", http_head(0)[:-2]],
    ids=["nothing", "half a header", "all but the last line"],
)
async def test_header_has_its_time(database: Database, begun: bytes) -> None:
    async with ingest(database, patience=SHORT) as receivers, connected(receivers.http_port) as connection:
        connection[1].write(begun)
        assert await answer_of(connection, 5) == b""
        assert receivers.closed == (["slow"] if begun else [])


@pytest.mark.parametrize(
    "endless",
    [
        (b"GET /" + b"x" * 5_000, b"x" * 4_000),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * 5_000, b"y" * 4_000),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 900, b"a: b\r\n" * 900),
        (http_head(0).replace(b"content-length: 0", b"transfer-encoding: chunked"), b"1;" + b"e" * 9_000),
        (
            http_head(0).replace(b"content-length: 0", b"transfer-encoding: chunked"),
            b"0\r\n" + b"t: u\r\n" * 2_000,
        ),
        (
            http_head(0).replace(b"content-length: 0", b"transfer-encoding: chunked"),
            b"0\r\nt: " + b"u" * 9_000,
        ),
    ],
    ids=["address", "field", "fields", "chunk extension", "trailers", "trailer"],
)
async def test_header_has_its_length(database: Database, endless: tuple[bytes, ...]) -> None:
    async with ingest(database, patience=SHORT) as receivers, connected(receivers.http_port) as connection:
        for part in endless:
            connection[1].write(part)
            await connection[1].drain()
            await asyncio.sleep(0.05)
        connection[1].write(b"z" * 100)
        assert (await answer_of(connection, 5)).startswith(
            (b"HTTP/1.1 431", b"HTTP/1.1 415", b"HTTP/1.1 400")
        )
        assert receivers.closed == ["long_header"]
        assert await sent(receivers) == 200


async def test_idle_connections_make_room(database: Database) -> None:
    patient = Patience(connections=4, idle_s=60, header_s=60)
    async with ingest(database, patience=patient) as receivers, contextlib.AsyncExitStack() as held:
        idle = [await held.enter_async_context(connected(receivers.http_port)) for _ in range(4)]
        await asyncio.sleep(0.1)
        assert await sent(receivers) == 200
        assert await answer_of(idle[0], 2) == b""
        assert receivers.closed == ["made_room"]


async def test_connections_are_limited_while_all_are_at_work(database: Database) -> None:
    patient = Patience(connections=3)
    async with ingest(database, patience=patient) as receivers, contextlib.AsyncExitStack() as held:
        for _ in range(3):
            half = await held.enter_async_context(connected(receivers.http_port))
            await begin(half, 1_000, 500)
        await asyncio.sleep(0.1)
        assert await sent(receivers) == 503
        assert receivers.closed == ["connections"]


async def test_rest_of_a_refused_body_is_not_waited_for(database: Database) -> None:
    config = Config(max_body_bytes=MIB)
    async with ingest(database, config, SHORT) as receivers, connected(receivers.http_port) as connection:
        connection[1].write(http_head(2 * MIB) + bytes(1_000))
        began = time.monotonic()
        assert (await answer_of(connection, 8)).startswith(b"HTTP/1.1 413")
        assert time.monotonic() - began < serving._LINGER_S + 3


async def test_connection_whose_refused_body_came_whole_stays_open(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_LINGER_S", 0.3)
    config = Config(max_body_bytes=2_000)
    async with ingest(database, config) as receivers, connected(receivers.http_port) as connection:
        reader, writer = connection
        writer.write(http_head(4_000) + bytes(1_000))
        refused = await reader.readuntil(b"\r\n\r\n")
        assert refused.startswith(b"HTTP/1.1 413")
        writer.write(bytes(3_000))
        await asyncio.sleep(0.8)  # longer than the rest of a refused body is waited for
        body = protobuf(request(span("after")))
        writer.write(http_head(len(body)) + body)
        async with asyncio.timeout(10):
            while b"HTTP/1.1 200" not in await reader.readline():
                assert not reader.at_eof(), "a sender that did all that HTTP asks for lost its connection"


async def large(scope: Any, receive: Any, send: Any) -> None:
    """An application whose only answer is large."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": bytes(32 * MIB)})


async def test_answer_that_nobody_reads_is_not_kept() -> None:
    closed: list[str] = []
    opened = listen("127.0.0.1", 0, "nobody")
    server = HttpServer(large, opened, patience=SHORT, refused=closed.append)
    await server.start()
    with socket.create_connection(opened.getsockname()) as asking:
        asking.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        async with asyncio.timeout(20):
            while not closed:  # noqa: ASYNC110  # a list has no event
                await asyncio.sleep(0.05)
    await server.stop()
    assert closed == ["unread"]
