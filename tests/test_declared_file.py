"""Is the file of declared expectations read again when it changes, and what if it cannot be read?"""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.declaring import DeclarationError, DeclaredFile, load
from collector.declaring.bounded_yaml import MOST_BYTES
from collector.live.runner import Live
from collector.model.wording import MS, SECOND
from tests.collecting import until
from tests.factories import NOW
from tests.scenes import Watch
from tests.test_process import refused

GOOD = "ends: [OrderShipped]\n"
BETTER = "ends: [OrderShipped, OrderCancelled]\n"
WRONG = "ends: [OrderShipped]\njoin: []\n"


class Watched:
    """A file, what watches it, and a clock that the test controls."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_text(GOOD)
        self.file = DeclaredFile(path)
        self.now = NOW

    @property
    def ends(self) -> set[str]:
        """What is in force."""
        return set(self.file.current().ends)

    def problem(self) -> str:
        """Why the file is not in force; empty if it is."""
        return self.file.problem or ""

    def look(self, times: int = 2) -> None:
        for _ in range(times):
            self.now += SECOND
            self.file.check(self.now)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "expectations.yaml")


def replace_it(path: Path) -> None:
    (path.parent / "new").write_text(BETTER)
    (path.parent / "new").rename(path)


def link_elsewhere(path: Path) -> None:
    """As Kubernetes does with a mounted ConfigMap."""
    other = path.parent / "version-2"
    other.write_text(BETTER)
    path.unlink()
    path.symlink_to(other)


@pytest.mark.parametrize("change", [lambda path: path.write_text(BETTER), replace_it, link_elsewhere])
def test_a_changed_file_is_in_force_after_two_looks(watched: Watched, change: Callable[[Path], None]) -> None:
    change(watched.path)
    watched.look()

    assert watched.ends == {"OrderShipped", "OrderCancelled"}
    assert not watched.problem()


def test_a_change_that_keeps_size_and_time_is_seen(watched: Watched) -> None:
    """rsync and some editors set the time back."""
    before = watched.path.stat()
    time.sleep(0.02)  # the clock of some file systems has steps of 10 ms
    watched.path.write_text(GOOD.replace("Shipped", "Stopped"))
    os.utime(watched.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    watched.look()

    assert watched.ends == {"OrderStopped"}


def test_a_file_that_did_not_change_stays_the_same_value(watched: Watched) -> None:
    """So a tick sees by identity that there is nothing to do."""
    before = watched.file.current()
    watched.look(5)

    assert watched.file.current() is before


def test_a_file_that_is_being_written_is_not_read(watched: Watched) -> None:
    """Half of it may be valid, and would drop the other half for a second."""
    for part in ("ends: [Ord", "ends: [OrderShipped, Ord", BETTER):
        watched.path.write_text(part)
        watched.look(1)
        assert watched.ends == {"OrderShipped"}
        assert not watched.problem()
    watched.look(1)

    assert watched.ends == {"OrderShipped", "OrderCancelled"}


def test_it_looks_once_a_second(watched: Watched) -> None:
    watched.path.write_text(BETTER)
    watched.look(1)
    for _ in range(9):
        watched.now += 100 * MS
        watched.file.check(watched.now)
    assert watched.ends == {"OrderShipped"}

    watched.now += 100 * MS
    watched.file.check(watched.now)
    assert watched.ends == {"OrderShipped", "OrderCancelled"}


def test_a_clock_that_is_set_back_does_not_stop_it(watched: Watched) -> None:
    watched.look(1)
    watched.path.write_text(BETTER)
    watched.now -= 3_600 * SECOND
    watched.look()

    assert watched.ends == {"OrderShipped", "OrderCancelled"}


def test_a_mistake_leaves_the_last_good_version_in_force(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    watched.path.write_text(WRONG)
    with caplog.at_level(logging.WARNING):
        watched.look(10)

    assert watched.ends == {"OrderShipped"}
    assert watched.problem().startswith(f"{watched.path}, line 2: 'join' is no key of the file")
    (line,) = caplog.messages  # once for each change, not for each look
    assert line.startswith(watched.problem())

    watched.path.write_text(BETTER)
    watched.look()
    assert not watched.problem()
    assert watched.ends == {"OrderShipped", "OrderCancelled"}


def make_a_pipe(path: Path) -> None:
    """Whoever opens it for reading waits for a writer."""
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda path: path.unlink(), "No such file"),
        (lambda path: path.write_text(""), "it is empty"),
        (lambda path: (path.unlink(), path.mkdir()), "it is no file"),
        (make_a_pipe, "it is no file"),
        (lambda path: path.write_bytes(b"#" * (MOST_BYTES + 1)), "larger than"),
        (lambda path: (path.unlink(), path.symlink_to(path)), "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_problem(
    watched: Watched, spoil: Callable[[Path], object], told: str
) -> None:
    spoil(watched.path)
    watched.look()

    assert told in watched.problem()
    assert watched.ends == {"OrderShipped"}


def test_a_file_that_comes_back_is_read(watched: Watched) -> None:
    watched.path.unlink()
    watched.look()
    watched.path.write_text(BETTER)
    watched.look()

    assert not watched.problem()
    assert watched.ends == {"OrderShipped", "OrderCancelled"}


def test_a_fault_of_the_reader_does_not_stop_the_live_part(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr("collector.declaring.declared_file.read", fail)
    watched.path.write_text(BETTER)
    watched.look()

    assert "MemoryError: no room" in watched.problem()
    assert watched.ends == {"OrderShipped"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.none() | st.binary(max_size=60) | st.sampled_from([b"ends: A", b"ends: B"]), max_size=6))
def test_whatever_becomes_of_the_file_something_good_is_in_force(
    watched: Watched, contents: list[bytes | None]
) -> None:
    """Either the file as it is, or the last good version and a problem."""
    for number, content in enumerate(contents):
        watched.path.unlink(missing_ok=True)
        if content is not None:
            watched.path.write_bytes(content)
            os.utime(watched.path, ns=(0, watched.now + number))  # no two versions in one step of the clock
        before = watched.file.current()
        watched.look()
        if watched.file.problem is None:
            assert watched.file.current() == load(watched.path)
        else:
            assert watched.file.current() is before
            with pytest.raises(DeclarationError):
                load(watched.path)


@pytest.mark.parametrize("name", ["missing.yaml", "", "a\0b"])
def test_at_the_start_there_is_no_last_good_version(tmp_path: Path, name: str) -> None:
    with pytest.raises(DeclarationError, match="cannot be read"):
        DeclaredFile(tmp_path / name)


def test_a_collector_does_not_start_with_a_mistake(tmp_path: Path) -> None:
    """Exit code 2, one line, and nothing touched."""
    path = tmp_path / "expectations.yaml"
    path.write_text(WRONG)

    line = refused(tmp_path, CHOREOSCOPE_EXPECTATIONS=str(path))

    assert line.startswith(f"choreoscope: {path}, line 2: 'join' is no key of the file: expected ")
    assert list(tmp_path.iterdir()) == [path]


def test_the_live_part_takes_what_is_declared_from_its_start_on(watched: Watched, watch: Watch) -> None:
    live = Live(watch.stores, declared=watched.file, tick_s=0.05)
    live.start()
    try:
        assert live.replayed.wait(60)
        first = live._tick._declared
        watched.path.write_text(BETTER)
        until(lambda: len(watched.file.current().ends) == 2)
        until(lambda: live._tick._declared is watched.file.current())
    finally:
        live.stop()

    assert first.ends == {"OrderShipped"}
