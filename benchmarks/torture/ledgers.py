"""Was anything lost that was acknowledged, or counted twice? What was sent, against what the store has."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.collecting import Collector
from tests.crashing import SPANS, Toll, load, post_again, stored


@dataclass(frozen=True)
class Account:
    """What the ledger says, and what the store has."""

    acknowledged: int
    found: int
    expected: int
    total: int

    @property
    def is_right(self) -> bool:
        """Whether nothing was lost, and nothing stored twice."""
        return self.found == self.acknowledged and self.total == self.expected

    def __str__(self) -> str:
        """One line."""
        lost, doubled = self.acknowledged - self.found, self.total - self.expected
        return f"{self.acknowledged:,} spans acknowledged, {lost:,} lost, {doubled:,} more stored than sent"


def account(folder: Path, toll: Toll) -> Account:
    """Start a sound collector on *folder*, send again what got no answer, stop it, and count."""
    collector = Collector(folder).start()
    post_again(collector.http_port, toll)
    assert collector.stop() == 0
    found, total = stored(folder, toll.acknowledged)
    sent = len(toll.acknowledged) + len(toll.unanswered)
    return Account(SPANS * len(toll.acknowledged), found, SPANS * sent, total)


@contextlib.contextmanager
def loaded(collector: Collector, toll: Toll, name: str, seconds: float) -> Iterator[None]:
    """Send while the context lasts, and at least for *seconds*."""
    started = time.monotonic()
    with load(collector.http_port, name, toll):
        yield
        time.sleep(max(0.0, seconds - (time.monotonic() - started)))
        toll.stopped.set()
    toll.stopped.clear()


def takes(collector: Collector, toll: Toll, name: str, within_s: float) -> float | None:
    """After how long the collector takes a request again; None if it does not, *within_s*."""
    started = time.monotonic()
    while time.monotonic() - started < within_s:
        with contextlib.suppress(httpx.HTTPError):
            if toll.send_one(collector.http_port, name):
                return time.monotonic() - started
        time.sleep(0.1)
    return None
