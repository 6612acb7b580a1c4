"""What does a collector do when its disk gets short? It refuses in time, is read, and goes on by itself."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.collecting import Collector
from tests.factories import protobuf, request, span, trace_id

MIB = 1024 * 1024
FLOOR = 16 * MIB


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    yield place
    subprocess.run(["umount", place], check=True)


def free(place: Path) -> int:
    disk = os.statvfs(place)
    return disk.f_bavail * disk.f_frsize


class Sender:
    """Sends traces of one message and some payload, and keeps a ledger of those that were acknowledged."""

    def __init__(self, collector: Collector) -> None:
        self._url = f"http://127.0.0.1:{collector.http_port}/v1/traces"
        self._client = httpx.Client(trust_env=False, timeout=30)
        self._sent = 0
        self.acknowledged: list[str] = []

    def close(self) -> None:
        self._client.close()

    def send(self, payload: int = 100_000) -> httpx.Response:
        name = f"order-{self._sent}"
        self._sent += 1
        said = {"messaging.operation.type": "send", "messaging.system": "nats", "order.id": name}
        said |= {"messaging.destination.name": "shop.OrderPlaced", "noise": os.urandom(payload // 2).hex()}
        body = protobuf(request(span("send", id=name, trace=name, kind=4, attributes=said), service="order"))
        answer = self._client.post(
            self._url, content=body, headers={"content-type": "application/x-protobuf"}
        )
        if answer.status_code == 200:
            self.acknowledged.append(name)
        return answer

    def until(self, status: int, within_s: float) -> tuple[httpx.Response, float]:
        """Send until the answer has this *status*; return it, and how long that took."""
        began = time.monotonic()
        while (answer := self.send(1_000)).status_code != status:
            assert time.monotonic() - began < within_s, f"still {answer.status_code} after {within_s} s"
            time.sleep(0.02)
        return answer, time.monotonic() - began


def stored_in(folder: Path) -> set[str]:
    """The traces in the store on *folder*, read by a process of its own: this one may have an engine."""
    code = (
        "import sys; from pathlib import Path; from collector.store.open import open_store;"
        "store = open_store(Path(sys.argv[1]), 2**29);"
        "spans = store.stores().spans.spans_since(0, 10**6);"
        "print(*(one.hex() for one in spans['trace_id'].to_pylist())); store.close()"
    )
    read = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
    return set(read.stdout.split())


def test_a_short_disk_loses_nothing_that_was_acknowledged(disk: Path, tmp_path: Path) -> None:
    collector = Collector(
        tmp_path, CHOREOSCOPE_DATA=str(disk / "data"), CHOREOSCOPE_MIN_FREE_BYTES=str(FLOOR)
    ).start()
    sender = Sender(collector)
    try:
        for _ in range(40):
            assert sender.send().status_code == 200
        filler = disk / "of another program"
        with filler.open("wb") as file:
            file.write(bytes(free(disk) - FLOOR + MIB))

        refused, took_to_refuse = sender.until(503, within_s=10)

        assert "CHOREOSCOPE_MIN_FREE_BYTES" in refused.text
        assert int(refused.headers["retry-after"]) > 0
        assert free(disk) > FLOOR // 2  # in good time
        (trouble,) = collector.ask("/summary")["troubles"]
        assert (trouble["kind"], trouble["refuses"]) == ("disk_short", True)
        assert collector.ask("/flows")["total"] > 0
        assert len(collector.ask(f"/spans/{sender.acknowledged[0]}")["resourceSpans"]) == 1
        assert sender.send().status_code == 503
        filler.unlink()
        _, took_to_resume = sender.until(200, within_s=10)
        assert collector.ask("/summary")["troubles"] == []
        counts = collector.ask("/summary")["spans"]
        assert counts["stored"] == len(sender.acknowledged)
        print(f"refused after {took_to_refuse:.2f} s, resumed after {took_to_resume:.2f} s")  # noqa: T201
    finally:
        sender.close()
        assert collector.stop() == 0
    stored = stored_in(disk / "data")
    assert {trace_id(name).hex() for name in sender.acknowledged} - stored == set()
    said = (tmp_path / "collector.log").read_text()
    assert said.count("The disk is short") == 2  # when it began, and when it was over
    assert "This is over: The disk is short" in said
