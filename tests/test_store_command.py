"""Is the store of a collector taken care of by command and API, while it runs and when it is stopped?"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.collecting import Collector, free_ports, until
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
    assert checked.returncode == 0
    assert checked.stdout.startswith(f"Everything that is stored by the collector at {collector.api} can be")

    saved = store(collector, "backup", "monday")
    place = data(collector) / "backups" / "monday"
    assert (saved.returncode, saved.stdout) == (0, f"Saved in {place} by the collector at {collector.api}.\n")
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
    whole = store(collector, "check")
    assert whole.returncode == 0
    assert whole.stdout.startswith(f"Everything that is stored in the folder {data(collector)} can be read")

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
        (["check"], {"CHOREOSCOPE_STORE": "clickhouse://h/d"}, "its own tools check, save and restore"),
        (["backup", "a/b"], {}, "NAME is 'a/b': expected 1 to 100 letters"),
        (["restore", "/etc"], {}, "is not empty"),
        (["restore", "nobody"], {}, "There is no backup nobody in "),
        (["restore", "/etc", "--into", "/nonexistent/x"], {}, "/etc is no backup"),
    ],
)
def test_bad_input_ends_with_two(
    collector: Collector, words: list[str], environment: dict[str, str], said: str
) -> None:
    done = run("store", *words, environment={**collector.environment, **environment})

    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_collector_whose_folder_is_elsewhere_is_asked(collector: Collector, tmp_path: Path) -> None:
    """Beside `make demo` there is no data folder where a command is called, but a collector that knows."""
    elsewhere = {**collector.environment, "CHOREOSCOPE_DATA": str(tmp_path / "none")}
    until(lambda: collector.ask("/store")["checked_fully_unix_nano"])
    checked = run("store", "check", "--format", "json", environment=elsewhere)
    saved = run("store", "backup", "tuesday", "--format", "json", environment=elsewhere)

    assert (checked.returncode, saved.returncode) == (0, 0), checked.stderr + saved.stderr
    document = json.loads(checked.stdout)
    assert (document["folder"], document["collector"], document["damages"]) == (None, collector.api, [])
    assert json.loads(saved.stdout) == {
        "name": "tuesday",
        "folder": str(data(collector) / "backups" / "tuesday"),
        "collector": collector.api,
    }
    assert not (tmp_path / "none").exists()


def test_what_only_the_folder_allows_says_which_folder(collector: Collector, tmp_path: Path) -> None:
    elsewhere = {**collector.environment, "CHOREOSCOPE_DATA": str(tmp_path / "none")}
    done = run("store", "repair", environment=elsewhere)

    assert done.returncode == 2
    assert (
        f"There is no data folder {tmp_path / 'none'}, but a collector runs at {collector.api}" in done.stderr
    )


@pytest.mark.parametrize("words", [["check"], ["backup", "a"], ["repair"]])
def test_with_neither_folder_nor_collector_both_are_named(tmp_path: Path, words: list[str]) -> None:
    nobody = f"http://127.0.0.1:{free_ports(1)[0]}"
    environment = {"CHOREOSCOPE_DATA": str(tmp_path / "none"), "CHOREOSCOPE_API": nobody}
    done = run("store", *words, environment={**os.environ, **environment})

    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert f"There is no data folder {tmp_path / 'none'}" in done.stderr
    assert (nobody in done.stderr) == (words != ["repair"])  # which no collector could do


def test_flipped_bits_are_detected_or_harmless() -> None:
    """A short form of `python -m benchmarks.torture.flips`."""
    command = [sys.executable, "-m", "benchmarks.torture.flips", "--trials", "8", "--large", "0"]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
