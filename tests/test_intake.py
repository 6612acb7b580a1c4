"""Does group commit keep its promises? Durable before the answer, each span counted once, no sender stuck."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pyarrow as pa
import pytest

import collector.ingest.intake
from collector.config import Config
from collector.counters import Counters
from collector.formats.otlp import Body, Decoded, Encoding, OtlpError
from collector.ingest.intake import Accepted, Intake
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.span_store import ClickHouseSpans
from collector.store.contracts import SpanStore, StoreError
from collector.web.budget import OverloadError
from tests.factories import json_body, protobuf, request, span

PROTOBUF, JSON = Encoding.PROTOBUF, Encoding.JSON


@pytest.fixture
def store(database: Database) -> SpanStore:
    return ClickHouseSpans(database)


@contextlib.asynccontextmanager
async def running(
    store: SpanStore,
    counters: Counters | None = None,
    on_stored: Callable[[pa.Table], None] = lambda spans: None,
    queue_bytes: int = 2**20,
    behind: Callable[[], bool] = lambda: False,
) -> AsyncIterator[Intake]:
    intake = Intake(store, Config(queue_bytes=queue_bytes), counters or Counters(), on_stored, behind)
    await intake.start()
    yield intake
    await intake.close()


def body(*names: str) -> bytes:
    return protobuf(request(*(span(id=name) for name in names)))


async def test_spans_are_in_the_store_when_accept_returns(store: SpanStore) -> None:
    async with running(store) as intake:
        accepted = await intake.accept(body("a", "b"), PROTOBUF)

        assert accepted == Accepted()
        assert store.span_count() == 2


async def test_ids_that_senders_count_are_not_taken_for_copies(store: SpanStore) -> None:
    """They are rare, but a generator of load and a small device make them."""
    counters = Counters()
    ids = [
        span(id=s.to_bytes(8, "big"), trace=t.to_bytes(16, "big")) for t in range(1, 51) for s in range(1, 51)
    ]
    async with running(store, counters) as intake:
        await intake.accept(protobuf(request(*ids)), PROTOBUF)

    assert counters.spans() == {"received": 2500, "stored": 2500, "duplicate": 0, "refused": 0}
    assert store.span_count() == 2500


async def test_requests_that_wait_share_a_commit(store: SpanStore) -> None:
    counters = Counters()
    async with running(store, counters) as intake:
        await asyncio.gather(*(intake.accept(body(str(number)), PROTOBUF) for number in range(50)))

    commits = counters.registry.get_sample_value("choreoscope_commit_seconds_count")
    assert store.span_count() == 50
    assert commits is not None
    assert commits <= 3


async def test_a_group_waits_for_those_who_are_behind(store: SpanStore) -> None:
    busy = True
    async with running(store, behind=lambda: busy) as intake:
        waiting = asyncio.create_task(intake.accept(body("a"), PROTOBUF))
        await asyncio.sleep(0.2)
        assert store.span_count() == 0
        busy = False

        assert await waiting == Accepted()


async def test_those_who_are_behind_for_ever_keep_nobody_waiting(store: SpanStore) -> None:
    async with running(store, behind=lambda: True) as intake:
        assert await intake.accept(body("a"), PROTOBUF) == Accepted()


async def test_a_bad_request_fails_alone(store: SpanStore) -> None:
    counters = Counters()
    async with running(store, counters) as intake:
        answers = await asyncio.gather(
            intake.accept(body("a"), PROTOBUF),
            intake.accept(b"bad", PROTOBUF),
            intake.accept(json_body(request(span(id="b"), span(id="c", trace=b"short"))), JSON),
            intake.accept(b"bad", JSON),
            return_exceptions=True,
        )

    assert answers[0] == Accepted()
    assert isinstance(answers[1], OtlpError)
    assert isinstance(answers[2], Accepted)
    assert answers[2].rejected == 1
    assert "trace_id" in answers[2].message
    assert isinstance(answers[3], OtlpError)
    assert store.span_count() == 2
    assert counters.spans() == {"received": 3, "stored": 2, "duplicate": 0, "refused": 1}


async def test_a_span_is_counted_once_however_often_it_comes(store: SpanStore) -> None:
    """Twice in a request, in two requests of a group, and again in a later group."""
    counters = Counters()
    async with running(store, counters) as intake:
        await asyncio.gather(intake.accept(body("a", "b", "a"), PROTOBUF), intake.accept(body("b"), PROTOBUF))
        await intake.accept(body("b", "c"), PROTOBUF)

    assert store.span_count() == 3
    assert counters.spans() == {"received": 6, "stored": 3, "duplicate": 3, "refused": 0}


async def test_a_span_sent_again_after_a_restart_is_no_new_one(store: SpanStore) -> None:
    """An exporter whose answer was lost with the old process resends its batch to the new one."""
    async with running(store) as intake:
        await intake.accept(body("a", "b"), PROTOBUF)
    counters = Counters()
    async with running(store, counters) as intake:
        await intake.accept(body("b", "c"), PROTOBUF)

    assert counters.spans() == {"received": 2, "stored": 1, "duplicate": 1, "refused": 0}


async def test_the_live_part_is_told_what_is_durable(store: SpanStore) -> None:
    told: list[tuple[int, int]] = []

    def on_stored(spans: pa.Table) -> None:
        told.append((spans.num_rows, store.span_count()))

    async with running(store, on_stored=on_stored) as intake:
        await intake.accept(body("a", "b"), PROTOBUF)
        await intake.accept(b"", PROTOBUF)
        await intake.accept(body("c"), PROTOBUF)

    assert told == [(2, 2), (1, 3)]


async def test_a_fault_of_the_live_part_is_not_the_senders(
    store: SpanStore, caplog: pytest.LogCaptureFixture
) -> None:
    def on_stored(spans: pa.Table) -> None:
        raise RuntimeError("a fault")

    with caplog.at_level(logging.ERROR):
        async with running(store, on_stored=on_stored) as intake:
            assert await intake.accept(body("a"), PROTOBUF) == Accepted()
            assert await intake.accept(body("b"), PROTOBUF) == Accepted()

    assert "a fault" in caplog.text


async def test_groups_arrive_at_rising_times(store: SpanStore) -> None:
    """A reader that resumes from a time of arrival must never miss a span with that same time."""
    times: list[int] = []
    async with running(
        store, on_stored=lambda spans: times.append(spans["received_unix_nano"][0].as_py())
    ) as intake:
        for number in range(20):
            await intake.accept(body(str(number)), PROTOBUF)

    assert times == sorted(set(times))


async def test_more_than_the_queue_holds_is_sent_back(store: SpanStore) -> None:
    """Memory is bounded, and a refused sender may retry."""
    counters, size = Counters(), len(body("00"))
    async with running(store, counters, queue_bytes=5 * size) as intake:
        answers = await asyncio.gather(
            *(intake.accept(body(f"{number:02}"), PROTOBUF) for number in range(20)), return_exceptions=True
        )

    accepted = [answer for answer in answers if isinstance(answer, Accepted)]
    assert len(accepted) == 5
    assert all(isinstance(answer, Accepted | OverloadError) for answer in answers)
    assert store.span_count() == 5
    assert (
        counters.registry.get_sample_value("choreoscope_requests_refused_total", {"reason": "overloaded"})
        == 15
    )


async def test_one_request_larger_than_the_queue_is_taken(store: SpanStore) -> None:
    async with running(store, queue_bytes=1) as intake:
        assert await intake.accept(body("a"), PROTOBUF) == Accepted()


async def test_when_the_store_fails_the_sender_is_told_to_try_again(
    store: SpanStore, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """Once the store recovers, so does the intake."""
    counters = Counters()
    async with running(store, counters) as intake:
        database.execute("RENAME TABLE spans TO away")
        with caplog.at_level(logging.ERROR), pytest.raises(StoreError):
            await intake.accept(body("a", "b"), PROTOBUF)
        database.execute("RENAME TABLE away TO spans")

        assert await intake.accept(body("a", "b"), PROTOBUF) == Accepted()

    assert "2 spans were not stored" in caplog.text
    assert counters.spans() == {"received": 4, "stored": 2, "duplicate": 0, "refused": 2}


async def test_a_sender_that_hangs_up_disturbs_nobody(store: SpanStore) -> None:
    async with running(store) as intake:
        leaving = asyncio.create_task(intake.accept(body("a"), PROTOBUF))
        staying = asyncio.create_task(intake.accept(body("b"), PROTOBUF))
        await asyncio.sleep(0)
        leaving.cancel()

        assert await staying == Accepted()
        assert await intake.accept(body("c"), PROTOBUF) == Accepted()

    assert store.span_count() == 3


async def test_closing_finishes_what_was_accepted_and_takes_no_more(store: SpanStore) -> None:
    async with running(store) as intake:
        accepted = [asyncio.create_task(intake.accept(body(str(number)), PROTOBUF)) for number in range(30)]
        await asyncio.sleep(0)

    assert [await answer for answer in accepted] == [Accepted()] * 30
    assert store.span_count() == 30
    with pytest.raises(OverloadError, match="stopping"):
        await intake.accept(body("late"), PROTOBUF)


class Panic(BaseException):
    """What compiled code may raise: it is no `Exception`."""


async def test_a_request_that_no_decoder_expects_costs_no_other(
    store: SpanStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug of ours that one body triggers must not refuse the rest of its group."""
    sound = collector.ingest.intake.decode  # type: ignore[attr-defined]  # its own import

    def failing(bodies: list[Body], *args: Any, **kwargs: Any) -> Decoded:
        if any(b"poison" in one.data for one in bodies):
            raise RuntimeError("a fault")
        return sound(bodies, *args, **kwargs)

    monkeypatch.setattr(collector.ingest.intake, "decode", failing)
    async with running(store) as intake:
        bodies = [body("a"), body("b"), b"poison", body("c"), body("d")]
        answers = await asyncio.gather(
            *(intake.accept(one, PROTOBUF) for one in bodies), return_exceptions=True
        )

    assert [type(answer) for answer in answers] == [Accepted, Accepted, OtlpError, Accepted, Accepted]
    assert store.span_count() == 4


@pytest.mark.parametrize("dies", ["_decode", "_insert"])
async def test_a_task_that_dies_is_started_again_and_keeps_nobody_waiting(
    store: SpanStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, dies: str
) -> None:
    counters, sound = Counters(), getattr(Intake, dies)
    panics = iter([True])

    def dying(self: Intake, *args: Any) -> Any:
        if next(panics, False):
            raise Panic
        return sound(self, *args)

    monkeypatch.setattr(Intake, dies, dying)
    async with running(store, counters) as intake:
        with caplog.at_level(logging.CRITICAL), pytest.raises(StoreError):
            await asyncio.wait_for(intake.accept(body("a"), PROTOBUF), 5)

        assert await asyncio.wait_for(intake.accept(body("a"), PROTOBUF), 5) == Accepted()

    task = {"_decode": "read", "_insert": "commit"}[dies]
    assert counters.registry.get_sample_value("choreoscope_task_deaths_total", {"task": task}) == 1
    assert f"'{task}' died" in caplog.text
    assert store.span_count() == 1


async def test_what_keeps_dying_is_given_up_and_sends_everybody_away(
    store: SpanStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process then ends, and a service manager starts a new one."""

    def dying(self: Intake, *_: Any) -> Any:
        raise Panic

    monkeypatch.setattr(Intake, "_decode", dying)
    async with running(store) as intake:
        for _ in range(5):
            with pytest.raises(StoreError):
                await asyncio.wait_for(intake.accept(body("a"), PROTOBUF), 5)
        await asyncio.wait_for(intake.watch.given_up.wait(), 5)

        with pytest.raises(OverloadError):
            await asyncio.wait_for(intake.accept(body("a"), PROTOBUF), 5)
