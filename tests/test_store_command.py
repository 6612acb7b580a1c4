"""Is the store of a collector taken care of by command and API, while it runs and when it is stopped?"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.collecting import Collector, until
from tests.factories import protobuf, request, span
from tests.test_commands import Done, run
from tests.test_part_files import flip

SPANS = 40


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A collector with some spans, which a test may stop and start."""
    running = Collector(tmp_path_factory.mktemp("store")).start()
    running.post(protobuf(request(*(span(id=f"{one}", trace=f"{one}") for one in range(SPANS)))))
    yield running
    if running.process is not None and running.process.poll() is None:
        running.stop()


def store(collector: Collector, *words: str) -> Done:
    return run("store", *words, environment=collector.environment)


def data(collector: Collector) -> Path:
    return Path(collector.environment["CHOREOSCOPE_DATA"])


def post(collector: Collector, **given: Any) -> httpx.Response:
    return httpx.post(f"{collector.api}/api/v1/store/backups", trust_env=False, **given)


def test_a_store_is_saved_restored_broken_and_repaired(collector: Collector, tmp_path: Path) -> None:
    """The whole way, as somebody goes it whose disk is failing."""
    until(lambda: collector.ask("/store")["checked_fully_unix_nano"])
    found = collector.ask("/store")
    assert (found["kind"], found["rows"]["spans"], found["damages"]) == ("embedded", SPANS, [])
    checked = store(collector, "check")
    assert (checked.returncode, "can be read" in checked.stdout) == (0, True)

    saved = store(collector, "backup", "monday")
    assert (saved.returncode, saved.stdout) == (0, f"Saved in {data(collector)}/backups/monday.\n")
    again = store(collector, "backup", "monday")
    assert (again.returncode, "name another" in again.stderr) == (1, True)
    busy = store(collector, "repair", "--yes")
    assert (busy.returncode, "in use by another collector" in busy.stderr) == (2, True)

    collector.stop()
    part = next(data(collector).glob("clickhouse/store/*/*/2*_*_0"))
    flip(part / "count.txt", 2)
    broken = store(collector, "check", "--format", "json")
    assert broken.returncode == 1
    assert [one["table"] for one in json.loads(broken.stdout)["damages"]] == ["spans"]
    said = store(collector, "repair")
    assert (
        said.returncode,
        f"{SPANS} of {SPANS} rows can be read, after undoing a flipped bit in count.txt" in said.stdout,
    ) == (
        0,
        True,
    )
    mended = store(collector, "repair", "--yes")
    assert (mended.returncode, f"{SPANS} were brought back" in mended.stdout) == (0, True)
    assert store(collector, "check").returncode == 0

    restored = store(collector, "restore", "monday", "--into", str(tmp_path / "new"), "--format", "json")
    assert json.loads(restored.stdout)["rows"]["spans"] == SPANS
    collector.start()
    assert collector.ask("/store")["rows"]["spans"] == SPANS


def test_damage_found_at_start_is_told_everywhere(tmp_path: Path) -> None:
    running = Collector(tmp_path).start()
    running.post(protobuf(request(span())))
    running.stop()
    flip(next(data(running).glob("clickhouse/store/*/*/2*_*_0")) / "partition.dat", 2)
    running.start()
    try:
        troubles = running.ask("/summary")["troubles"]
        figures = running.get("/metrics").text

        assert [one["kind"] for one in troubles] == ["damage"]
        assert "at most 1 spans that arrived from" in troubles[0]["text"]
        assert 'choreoscope_trouble{kind="damage"} 1.0' in figures
        assert "choreoscope_store_damaged_rows 1.0" in figures
        assert running.get("/readyz").status_code == 200
    finally:
        running.stop()


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"json": {"name": "../out"}}, 400),
        ({"json": {"name": "a", "path": "/tmp"}}, 400),
        ({"json": {"name": 1}}, 400),
        ({"json": ["a"]}, 400),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400),
        ({"content": b'{"name": "a"}', "headers": {"content-type": "text/plain"}}, 415),
        ({"json": {"name": "a"}, "headers": {"origin": "https://example.org"}}, 403),
        ({"json": {"name": "a"}, "headers": {"sec-fetch-site": "cross-site"}}, 403),
        ({"json": {"name": "a" * 5_000}}, 413),
    ],
)
def test_the_api_takes_a_plain_name_from_a_program_only(
    collector: Collector, given: dict[str, Any], status: int
) -> None:
    answer = post(collector, **given)

    assert answer.status_code == status
    assert len(answer.json()["error"].splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "environment", "said"),
    [
        (["check"], {"CHOREOSCOPE_DATA": "/nonexistent/data"}, "There is no data folder /nonexistent/data"),
        (["check"], {"CHOREOSCOPE_STORE": "clickhouse://h/d"}, "its own tools check, save and restore"),
        (["backup", "a/b"], {}, "NAME is 'a/b': expected 1 to 100 letters"),
        (["restore", "nobody"], {}, "is not empty"),
        (["restore", "/etc", "--into", "/nonexistent/x"], {}, "/etc is no backup"),
    ],
)
def test_bad_input_ends_with_two(
    collector: Collector, words: list[str], environment: dict[str, str], said: str
) -> None:
    done = run("store", *words, environment={**collector.environment, **environment})

    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_flipped_bits_are_detected_or_harmless() -> None:
    """A short form of `python -m benchmarks.torture.flips`."""
    command = [sys.executable, "-m", "benchmarks.torture.flips", "--trials", "8", "--large", "0"]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
