"""Takes the README's screenshot: its own demo, two broken services, the first page in Chromium.

`make picture` runs it, on free ports; it takes a minute and a half and leaves nothing behind.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import ViewportSize, sync_playwright

PICTURE = Path(__file__).parent / "stuck.png"
COMMAND = Path(sysconfig.get_path("scripts")) / "choreoscope"
SIZE: ViewportSize = {"width": 1440, "height": 900}
STUCK = 70  # orders


def main() -> int:
    """Take the picture; return the exit code."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.stderr.write("There is no Chromium on this machine: install the package chromium.\n")
        return 2
    with demo() as (dashboard, api, environment):
        # Expectations exist once some flows have ended: an outage before that could not be noticed.
        until(lambda: asked(api)["learning"]["expectations"] >= 12, "learning")
        time.sleep(20)
        for broken in (["payment"], ["fraud", "--how", "silent", "--share", "0.15"]):
            subprocess.run([COMMAND, "demo", "break", *broken], env=environment, check=True)  # noqa: S603
        until(lambda: asked(api)["states"]["stuck"] >= STUCK, "stuck orders")
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=browser)
            page = chromium.new_page(viewport=SIZE, color_scheme="light")
            page.goto(dashboard)
            page.locator(".group tbody tr").first.wait_for()
            page.wait_for_timeout(4_000)  # until fonts are loaded and the page has refreshed
            page.screenshot(path=PICTURE)
            chromium.close()
    return 0


@contextmanager
def demo() -> Iterator[tuple[str, str, dict[str, str]]]:
    """A running demo: the addresses of its dashboard and its API, and the environment of its commands."""
    grpc, http, api, shop, nats, dashboard = free_ports(6)
    environment = {
        **os.environ,
        "CHOREOSCOPE_GRPC_PORT": str(grpc),
        "CHOREOSCOPE_HTTP_PORT": str(http),
        "CHOREOSCOPE_API_PORT": str(api),
        "CHOREOSCOPE_SHOP": f"http://127.0.0.1:{shop}",
    }
    with tempfile.TemporaryDirectory() as folder:
        options = ["--port", str(dashboard), "--nats-port", str(nats), "--folder", f"{folder}/demo"]
        running = subprocess.Popen([COMMAND, "demo", *options], env=environment)  # noqa: S603
        try:
            yield f"http://127.0.0.1:{dashboard}", f"http://127.0.0.1:{api}/api/v1", environment
        finally:
            running.send_signal(signal.SIGINT)
            running.wait()


def asked(api: str) -> dict[str, dict[str, int]]:
    """The summary, or zeros before the collector answers."""
    try:
        answer: dict[str, dict[str, int]] = httpx.get(f"{api}/summary", trust_env=False).json()
    except httpx.TransportError:
        return {"learning": {"expectations": 0}, "states": {"stuck": 0}}
    return answer


def until(condition: Callable[[], bool], what: str) -> None:
    """Return when *condition* holds; raise `TimeoutError` if it does not within two minutes."""
    last = time.monotonic() + 120
    while not condition():
        if time.monotonic() > last:
            msg = f"no {what} within two minutes"
            raise TimeoutError(msg)
        time.sleep(0.5)


def free_ports(count: int) -> list[int]:
    """Different ports that are free now."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return found


if __name__ == "__main__":
    sys.exit(main())
