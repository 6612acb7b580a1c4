"""What can be broken on purpose, and how a service learns of it.

Faults are kept in a JetStream key-value bucket, one key per service, so that
every process of a service sees the same fault, even one that starts later.
"""

import asyncio
import json
import logging
import os
import random
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from nats.aio.client import Client
from nats.errors import Error
from nats.js.kv import KeyValue

from .settings import ANSWER_S

BUCKET: Final = "shop-faults"

KINDS: Final[Mapping[str, str]] = {
    "stopped": "its processes are ended",
    "slow": "every message takes delay_ms longer",
    "failing": "a share of the messages ends in an error, each time it is tried",
    "silent": "a share of the messages is handled, but nothing is published",
    "crashing": "the process dies after a share of the deliveries, before the acknowledgement",
}
DEFAULT_DELAY_MS: Final = 3000
MAX_DELAY_MS: Final = 600_000
# It dies in mid-work: the "started" span has been sent by then.
DYING_S: Final = 1.0
# What a shell shows for a process that died of SIGABRT.
CRASHED: Final = 134

log = logging.getLogger("faults")


class FaultError(ValueError):
    """An invalid fault; the text names the field, its value and what was expected."""


class BrokenOnPurpose(RuntimeError):  # noqa: N818 -- it is what the span of a failing handler says
    """The error that the handlers of a failing service raise."""


@dataclass(frozen=True)
class Fault:
    """One service's fault. `share` is the part of its messages, 0 to 1; `delay_ms` is for a slow service."""

    kind: str
    share: float = 1.0
    delay_ms: int = 0

    def as_json(self) -> dict[str, Any]:
        """The fault as the control API shows it."""
        return asdict(self)

    def touches(self, event_id: str) -> bool:
        """Whether this message is within the share; the same at each delivery."""
        return (zlib.crc32(event_id.encode()) % 10_000) < self.share * 10_000

    def silences(self, event_id: str) -> bool:
        """Whether the events that follow from this message are not to be published."""
        return self.kind == "silent" and self.touches(event_id)


def parse(document: object) -> Fault:
    """The fault in a JSON *document*; raise `FaultError` if it is invalid."""
    if not isinstance(document, dict):
        raise FaultError(
            f'the fault is {json.dumps(document)}: expected an object such as {{"kind": "stopped"}}.'
        )
    kind = document.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise FaultError(f"kind is {json.dumps(kind)}: expected one of {', '.join(KINDS)}.")
    share = document.get("share", 1.0)
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
        raise FaultError(f"share is {json.dumps(share)}: expected a number above 0 and up to 1, such as 0.5.")
    delay = document.get("delay_ms", DEFAULT_DELAY_MS if kind == "slow" else 0)
    if isinstance(delay, bool) or not isinstance(delay, int) or not 0 <= delay <= MAX_DELAY_MS:
        raise FaultError(
            f"delay_ms is {json.dumps(delay)}: expected whole milliseconds from 0 to {MAX_DELAY_MS}."
        )
    return Fault(kind, float(share), delay)


async def open_bucket(client: Client) -> KeyValue:
    """The bucket of faults, created if it is missing."""
    return await client.jetstream(timeout=ANSWER_S).create_key_value(bucket=BUCKET)


class Watch:
    """The current fault of one service."""

    def __init__(self, service: str) -> None:
        self._service = service
        self.fault: Fault | None = None
        # A process that starts with a fault must not handle any message without it.
        self.known = asyncio.Event()

    async def follow(self, client: Client) -> None:
        """Keep `fault` up to date until cancelled, across restarts of NATS too."""
        while True:
            try:
                await self._follow_one_connection(client)
            except (Error, TimeoutError, OSError):
                await asyncio.sleep(0.5)

    async def _follow_one_connection(self, client: Client) -> None:
        # A watch is an ephemeral consumer, which does not survive a restart of NATS.
        connections = client.stats["reconnects"]
        bucket = await open_bucket(client)
        watcher = await bucket.watch(self._service)
        found = None
        try:
            while client.stats["reconnects"] == connections:
                try:
                    entry = await watcher.updates(timeout=1.0)  # type: ignore[no-untyped-call]
                except TimeoutError:
                    continue
                # The bucket's current content comes first, then a None, then changes.
                if isinstance(entry, KeyValue.Entry):
                    found = self._read(entry)
                self.fault = found
                self.known.set()
        finally:
            if client.is_connected:
                await watcher.stop()  # type: ignore[no-untyped-call]

    async def strike(self, event_id: str) -> None:
        """Apply the fault, if there is one, to a message that is about to be handled."""
        fault = self.fault
        if fault is None:
            return
        if fault.kind == "slow" and fault.touches(event_id):
            await asyncio.sleep(fault.delay_ms / 1000)
        elif fault.kind == "failing" and fault.touches(event_id):
            raise BrokenOnPurpose(f"failing on purpose for {fault.share:.0%} of the messages")
        elif fault.kind == "crashing" and random.random() < fault.share:
            await asyncio.sleep(DYING_S)
            # If mended meanwhile, a crash would lose the spans of healthy handlings.
            if self.fault == fault:
                os._exit(CRASHED)

    def _read(self, entry: KeyValue.Entry) -> Fault | None:
        if entry.operation is not None or not entry.value:
            return None
        try:
            return parse(json.loads(entry.value))
        except ValueError as error:
            log.warning("ignoring the fault of %s: %s", self._service, error)
            return None
