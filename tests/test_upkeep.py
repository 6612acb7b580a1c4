"""Is what goes wrong with the collector itself seen, told and ended?"""

import asyncio
import logging
import threading

import pytest

from collector.counters import Counters
from collector.model.troubles import TroubleKind
from collector.upkeep.health import Troubles
from collector.upkeep.rounds import Rounds
from collector.upkeep.watch import Watch


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

    rounds.every("care", 0.01, work)
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
