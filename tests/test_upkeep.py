"""Is what goes wrong with the collector itself seen, told and ended?"""

import asyncio
import logging
import threading
from types import SimpleNamespace
from typing import cast

import pytest

from collector.counters import Counters
from collector.live.runner import Live
from collector.model.decisions import Decision
from collector.model.troubles import TroubleKind
from collector.store.clickhouse.connections import Database
from collector.store.clickhouse.opening import stores_over
from collector.store.contracts import StoreError
from collector.upkeep.health import Troubles
from collector.upkeep.probe import Probe
from collector.upkeep.pulse import Pulse
from collector.upkeep.rounds import Rounds
from collector.upkeep.watch import Watch
from tests.collecting import until


def test_a_trouble_has_one_beginning_and_one_end(caplog: pytest.LogCaptureFixture) -> None:
    troubles = Troubles()
    assert troubles.now() == ()
    troubles.report(TroubleKind.DISK_SHORT, "The disk is short.", refuses=True)
    troubles.report(TroubleKind.DAMAGE, "A part is damaged.")
    first = troubles.now()[0]
    troubles.report(TroubleKind.DISK_SHORT, "The disk is short.", refuses=True)
    assert [one.kind for one in troubles.now()] == [TroubleKind.DISK_SHORT, TroubleKind.DAMAGE]
    assert troubles.now()[0].since == first.since
    assert troubles.refusing() == first
    troubles.over(TroubleKind.DISK_SHORT)
    troubles.over(TroubleKind.DISK_SHORT)
    assert [one.kind for one in troubles.now()] == [TroubleKind.DAMAGE]
    assert troubles.refusing() is None
    assert troubles.unready() is None
    said = [record.getMessage() for record in caplog.records]
    assert said == ["The disk is short.", "A part is damaged.", "This is over: The disk is short."]


async def test_rounds_go_on_after_work_that_dies(caplog: pytest.LogCaptureFixture) -> None:
    counters = Counters()
    rounds = Rounds(Watch(counters))
    called, done = [], threading.Event()

    def work() -> None:
        called.append(threading.current_thread().name)
        if len(called) == 1:
            raise BaseException("a panic of compiled code is not an Exception")
        if len(called) == 3:
            done.set()

    rounds.every("care", lambda: 0.01, work)
    with caplog.at_level(logging.CRITICAL):
        rounds.start()
        assert await asyncio.to_thread(done.wait, 10)
        await rounds.stop()
    assert [record.getMessage() for record in caplog.records] == ["The task 'care' died and is started again"]
    assert counters.task_deaths.labels("care")._value.get() == 1
    assert all(name.startswith("care") for name in called)
    count = len(called)
    await asyncio.sleep(0.05)
    assert len(called) == count


async def test_work_that_keeps_dying_ends_the_collector() -> None:
    watch = Watch(Counters())
    rounds = Rounds(watch)

    def work() -> None:
        raise RuntimeError

    rounds.every("care", 60, work)
    rounds.start()
    await asyncio.wait_for(watch.given_up.wait(), 10)
    await rounds.stop()
    assert not watch.is_well()


async def test_probe_tells_what_fails_and_when_it_is_over() -> None:
    troubles, failing = Troubles(), True

    async def prove() -> None:
        if failing:
            raise StoreError("the disk does not answer")

    probe = Probe(prove, troubles, lambda: None)
    await asyncio.to_thread(probe.once)
    (trouble,) = troubles.now()
    assert trouble.kind == TroubleKind.NOT_STORING
    assert "the disk does not answer" in trouble.text
    assert troubles.unready() == trouble
    assert troubles.refusing() is None  # it is tried
    assert probe.pause_s() == 5
    failing = False
    await asyncio.to_thread(probe.once)
    assert troubles.now() == ()
    assert probe.pause_s() == 60


async def test_what_hangs_again_and_again_ends_the_collector() -> None:
    troubles, ended = Troubles(), []

    async def prove() -> None:
        await asyncio.sleep(60)

    probe = Probe(prove, troubles, lambda: ended.append(True), patience_s=0.01)
    for _ in range(2):
        await asyncio.to_thread(probe.once)
    assert not ended
    await asyncio.to_thread(probe.once)
    assert ended
    assert [one.kind for one in troubles.now()] == [TroubleKind.NOT_STORING]


def test_live_part_that_hangs_or_dies_is_told() -> None:
    troubles, ended = Troubles(), []
    beat = SimpleNamespace(alive=True, quiet=0.0)
    live = SimpleNamespace(is_alive=lambda: beat.alive, quiet_s=lambda: beat.quiet)
    pulse = Pulse(live, troubles, lambda: ended.append(True))
    pulse.once()
    assert troubles.now() == ()
    beat.quiet = 31.0
    pulse.once()
    assert [one.kind for one in troubles.now()] == [TroubleKind.NOT_JUDGING]
    beat.quiet = 0.1
    pulse.once()
    assert troubles.now() == ()
    assert not ended
    beat.alive = False
    pulse.once()
    assert [one.kind for one in troubles.now()] == [TroubleKind.NOT_JUDGING]
    assert ended


def test_a_tick_that_dies_does_not_end_the_live_part(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What people said is applied at the beginning of a tick: that may fail as well."""
    live = Live(stores_over(database), tick_s=0.01)
    died = threading.Event()

    def decide(decision: Decision) -> None:
        died.set()
        raise BaseException("a panic of compiled code")

    monkeypatch.setattr(live._tick, "decide", decide)
    live.start()
    assert live.replayed.wait(30)
    live.decide(cast("Decision", None))
    assert died.wait(10)
    until(lambda: live.snapshot.now and "A tick failed" in caplog.text)
    assert live.is_alive()
    assert live._thread.is_alive()
    live.stop()
    assert live.is_alive()  # it was told to stop
