"""Are advisories kept while the collector is away? In a stream, the only thing that it ever creates."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error

from collector.brokers.nats import advisories
from collector.brokers.nats.asking import AskError, Asking
from collector.brokers.nats.jetstream import StreamInfo, nanoseconds
from collector.brokers.nats.recollection import Recollection

log = logging.getLogger(__name__)

STREAM = "choreoscope_advisories"
_KEPT = {
    "name": STREAM,
    "description": "Kept by Choreoscope (CHOREOSCOPE_NATS_KEEP): what happened to messages while it was away",
    "subjects": list(advisories.SUBJECTS[:2]),
    "retention": "limits",
    "storage": "file",
    "discard": "old",
    "max_age": 3 * 24 * 3600 * 1_000_000_000,
    "max_bytes": 64 * 1024 * 1024,
    "max_consumers": -1,
    "num_replicas": 1,
    "allow_direct": True,
}
_MOST = 5_000  # that are read at a start
_WITHIN_S = 5.0
_EXISTS = 10058


class Keeping:
    """Makes the stream if it is missing, and reads what it has kept: without a consumer."""

    def __init__(
        self, asking: Asking, client: Client, memory: Recollection, clock: Callable[[], int]
    ) -> None:
        self._asking, self._client, self._memory, self._clock = asking, client, memory, clock
        self.problem = ""
        self.since = 0  # from when on all of them were kept and read; 0: unknown

    async def begin(self) -> None:
        """Return once what was kept is remembered; what fails becomes `problem`."""
        try:
            body = msgspec.json.encode(_KEPT)
            made = await self._asking.one(f"$JS.API.STREAM.CREATE.{STREAM}", body, StreamInfo)
            if made.error is not None and made.error.err_code != _EXISTS:
                raise AskError(made.error.description)
            if made.error is None and not made.state.last_seq:
                log.warning("Made the stream %s, which keeps advisories (CHOREOSCOPE_NATS_KEEP)", STREAM)
            await self._read()
        except AskError as error:
            self.problem = (
                f"The stream {STREAM} cannot be made or read ({error}): what happens while the collector"
                " is away stays unknown. Allow it, or unset CHOREOSCOPE_NATS_KEEP."
            )

    async def _read(self) -> None:
        info = await self._asking.one(f"$JS.API.STREAM.INFO.{STREAM}", b"", StreamInfo)
        if info.error is not None:
            raise AskError(info.error.description)
        if not info.state.messages:
            return
        first = max(info.state.first_seq, info.state.last_seq - _MOST + 1)
        # Some were heard as well, in this life of the collector.
        heard, ended = set(self._memory.known.happenings), asyncio.Event()

        async def take(message: Msg) -> None:
            if (message.headers or {}).get("Status"):
                ended.set()
            elif (one := advisories.happening_of(message.data, self._clock())) and one not in heard:
                self._memory.happen(one)

        inbox = self._client.new_inbox()
        subscription = await self._client.subscribe(inbox, cb=take, pending_msgs_limit=2 * _MOST)
        body = msgspec.json.encode({"seq": first, "batch": _MOST})
        await self._client.publish(f"$JS.API.DIRECT.GET.{STREAM}", body, reply=inbox)
        try:
            async with asyncio.timeout(_WITHIN_S):
                await ended.wait()
        except TimeoutError as error:
            raise AskError("its server does not answer DIRECT.GET: it is older than 2.11") from error
        finally:
            with contextlib.suppress(Error, OSError):
                await subscription.unsubscribe()
        if first == info.state.first_seq:
            self.since = nanoseconds(info.state.first_ts) or 0
