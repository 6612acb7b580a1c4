"""A service in Node on the other side: context travels there and back."""

import shutil
import subprocess
from pathlib import Path

import pytest
from nats.aio.client import Client

from .foreign import exchange
from .support import Spans

NODE = Path(__file__).parent / "node"


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Node service with its packages, in a folder of its own."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("there is no npm here: install Node to run these")
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "service.js"):
        shutil.copy(NODE / name, folder)
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    installed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=240)
    if installed.returncode:
        pytest.skip(f"npm could not install: {installed.stderr.strip().splitlines()[-1:]}")
    return folder


@pytest.mark.timeout(300)
@pytest.mark.parametrize("capitals", [False, True])
async def test_context_travels_to_node_and_back(
    service: Path, nc: Client, nats_url: str, spans: Spans, capitals: bool
) -> None:
    """With header names as JavaScript and as Go write them. (Python writes a space in baggage as a plus.)"""
    command = ("node", "service.js", *(["capitals"] if capitals else []))
    await exchange("node", command, service, nc, nats_url, spans)
