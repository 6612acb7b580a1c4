"""The cache of one answer: who waits for a new one, and who gets the old one meanwhile?"""

import threading
import time
from collections.abc import Callable
from itertools import count

import pytest

from collector.queries.kept import Kept
from tests.collecting import until


class _Slow:
    """Answers with how often it was asked, from the second time on only when it may."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.asked = count(1)

    def __call__(self) -> int:
        number = next(self.asked)
        assert number == 1 or self.may_answer.wait(20)
        return number


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets seconds pass for whoever asks the monotonic clock."""
    passed = [time.monotonic()]
    monkeypatch.setattr("collector.queries.kept.time.monotonic", lambda: passed[0])
    return lambda seconds: passed.append(passed.pop() + seconds)


def test_old_answer_is_given_at_once_while_a_thread_computes_a_new_one(
    clock: Callable[[float], None],
) -> None:
    kept, slow = Kept[int](5.0, oldest_s=30.0), _Slow()
    assert kept.get("how many?", slow) == 1
    clock(6)
    assert [kept.get("how many?", slow) for _ in range(3)] == [1, 1, 1]
    slow.may_answer.set()
    until(lambda: kept.last == 2)
    assert kept.get("how many?", slow) == 2
    assert next(slow.asked) == 3, "three who asked meanwhile had it computed once"


@pytest.mark.parametrize(("took", "others"), [(0.2, [2, 3]), (1.0, [1, 1])])
def test_answer_that_took_long_outlives_its_version(
    clock: Callable[[float], None], took: float, others: list[int]
) -> None:
    """10,000 stuck flows took more than a second to explain: again in each of the tick's snapshots."""
    kept, asked = Kept[int](meanwhile=True), count(1)

    def slow() -> int:
        clock(took)
        return next(asked)

    assert kept.get("what?", slow, "first") == kept.get("what?", slow, "first") == 1
    assert [kept.get("what?", slow, version) for version in ("second", "third")] == others
    assert kept.get("what else?", slow, "third") == others[-1] + 1


def test_answer_of_another_version_is_computed_by_a_thread(clock: Callable[[float], None]) -> None:
    kept = Kept[int](meanwhile=True)

    def slow() -> int:
        clock(1)
        return 1

    assert kept.get("what?", slow, "first") == 1
    clock(3)
    assert kept.get("what?", lambda: 2, "second") == 1
    until(lambda: kept.last == 2)
    assert kept.get("what?", lambda: 3, "second") == 2
    assert kept.get("what?", slow, "third") == 1
    clock(11)
    assert kept.get("what?", lambda: 4, "fourth") == 4


def test_answer_that_is_too_old_is_waited_for(clock: Callable[[float], None]) -> None:
    kept, slow = Kept[int](5.0, oldest_s=30.0), _Slow()
    slow.may_answer.set()
    assert kept.get("how many?", slow) == 1
    clock(31)
    assert kept.get("how many?", slow) == 2


def test_another_question_never_gets_the_old_answer(clock: Callable[[float], None]) -> None:
    kept, slow = Kept[int](5.0, oldest_s=30.0), _Slow()
    slow.may_answer.set()
    assert kept.get("before it was dismissed", slow) == 1
    assert kept.get("after it was dismissed", slow) == 2


def test_failure_in_the_thread_is_told_to_whoever_waits(
    clock: Callable[[float], None], caplog: pytest.LogCaptureFixture
) -> None:
    kept = Kept[int](5.0, oldest_s=30.0)

    def fail() -> int:
        raise ValueError("it is broken")

    assert kept.get("how many?", lambda: 1) == 1
    clock(6)
    assert kept.get("how many?", fail) == 1
    until(lambda: "it is broken" in caplog.text)
    clock(31)
    with pytest.raises(ValueError, match="it is broken"):
        kept.get("how many?", fail)
    assert kept.get("how many?", lambda: 2) == 2
