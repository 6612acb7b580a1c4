"""As a new user runs it: the unchanged example, and a program that knows nothing of the package."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).parents[1] / "examples" / "shop.py"

PLAIN = """
import asyncio, os
import nats

async def main():
    nc = await nats.connect(os.environ["NATS_URL"])
    await nc.publish("plain.program", b"")
    await nc.close()

asyncio.run(main())
"""


def run(nats_url: str, *command: str) -> list[dict[str, Any]]:
    """The spans that a program prints to the terminal."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    ended = subprocess.run(
        command,
        env=environment | {"NATS_URL": nats_url},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert ended.returncode == 0, ended.stderr
    decoder, text, found = json.JSONDecoder(), ended.stdout.strip(), []
    while text:
        span, end = decoder.raw_decode(text)
        found.append(span)
        text = text[end:].lstrip()
    return found


def test_example_shows_one_flow(nats_url: str) -> None:
    spans = run(nats_url, sys.executable, str(EXAMPLE))
    assert sorted(span["name"] for span in spans) == [
        "process example.order.placed",
        "process example.stock.reserved",
        "send example.order.placed",
        "send example.stock.reserved",
    ]
    assert len({span["context"]["trace_id"] for span in spans}) == 1


def test_unchanged_program_is_traced(nats_url: str, tmp_path: Path) -> None:
    """`opentelemetry-instrument` finds this package by its entry point."""
    program = tmp_path / "program.py"
    program.write_text(PLAIN)
    launcher = shutil.which("opentelemetry-instrument", path=sysconfig.get_path("scripts"))
    assert launcher
    options = ("--traces_exporter", "console", "--metrics_exporter", "none", "--logs_exporter", "none")
    (span,) = run(nats_url, launcher, *options, sys.executable, str(program))
    assert span["name"] == "send plain.program"
