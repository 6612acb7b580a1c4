"""A service in Go on the other side, with the usual carrier around its headers."""

import shutil
import subprocess
from pathlib import Path

import pytest
from nats.aio.client import Client

from .foreign import exchange
from .support import Spans

GO = Path(__file__).parent / "go"


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go service, built in a folder of its own."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("there is no go here: install Go to run this")
    folder = tmp_path_factory.mktemp("go")
    for source in GO.iterdir():
        shutil.copy(source, folder)
    command = [go, "build", "-o", "service", "."]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=480)
    if built.returncode:
        pytest.skip(f"go could not build: {built.stderr.strip().splitlines()[-1:]}")
    return folder


@pytest.mark.timeout(600)
async def test_context_travels_to_go_and_back(service: Path, nc: Client, nats_url: str, spans: Spans) -> None:
    """Go's carrier writes and finds only `Traceparent`, and NATS does not change names. No option is set."""
    await exchange("go", ("./service",), service, nc, nats_url, spans)
