"""Group commit by the only writer of spans: a request is answered once its spans are on disk.

Requests that arrive during an insert wait, still as bytes, and share the next one. So the cost of decoding
and syncing is spread over all of them, and a lone request waits for no other. While one group is being
stored, the next is already being decoded.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pyarrow as pa

from collector.columns.keysets import KeySet
from collector.config import Config
from collector.counters import Counters
from collector.formats.otlp import Body, Decoded, Encoding, OtlpError, Verdict, decode
from collector.ingest.admission import Admission
from collector.model.identity import each_once, spread_span_keys
from collector.model.spans import NO_SPANS
from collector.store.contracts import SpanStore, StoreError
from collector.upkeep.health import Troubles
from collector.upkeep.watch import Watch
from collector.web.budget import Budget, OverloadError, Share

_GROUP_BYTES = 8 * 1024 * 1024  # 20,000 spans: larger groups are no cheaper per span, and take more memory
_AHEAD_BYTES = 4 * 1024 * 1024  # enough for a group: it may be decoded while the one before is stored
_LINGER_S = 0.01
_PATIENCE_S = 1.0  # longest wait for a live part that is behind: senders must not wait forever
_REMEMBERED_S = 600  # how far back duplicates are recognized after a start; exporters give up far sooner
_REMEMBERED_SPANS = 1_000_000

_STOPPING = "The collector is stopping."
_UNREADABLE = "The request cannot be read"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The spans are durable, except for *rejected* invalid ones; *message* says why."""

    rejected: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class _Waiting:
    body: Body
    answer: asyncio.Future[Accepted]
    arrived: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class _Group:
    waiting: list[_Waiting]
    decoded: Decoded


class Intake:
    """Takes bodies, stores their spans, and answers. Use it within one event loop."""

    def __init__(
        self,
        store: SpanStore,
        config: Config,
        counters: Counters,
        on_stored: Callable[[pa.Table], None] = lambda spans: None,
        behind: Callable[[], bool] = lambda: False,
        clock: Callable[[], int] = time.time_ns,
        *,
        require_there: Callable[[], None] = lambda: None,
        watch: Watch | None = None,
        troubles: Troubles | None = None,
    ) -> None:
        """*on_stored* is called in the event loop with each group, once it is durable.

        The group is a SPANS table and may include spans that were stored before. The call must be quick. An
        exception is only logged, because the spans are already stored. While *behind* returns true, groups
        come more slowly. While one of *troubles* refuses, so does this. *require_there* raises `StoreError`
        if what was stored cannot be durable. *clock* tells when spans are received, and never goes back.
        """
        self._store, self._config, self._counters = store, config, counters
        self._on_stored, self._behind, self._clock = on_stored, behind, clock
        self._require_there = require_there
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._admission = Admission(config.queue_bytes)
        self.budget = Budget(self._admission.limit, counters.requests_refused.labels("overloaded").inc)
        self._inserting = False
        self._last_size = 0
        self._arrived = asyncio.Event()
        self._closing = False
        self._decoded: asyncio.Queue[_Group | None] = asyncio.Queue(maxsize=1)
        self._decoder = ThreadPoolExecutor(1, "decode")
        self._inserter = ThreadPoolExecutor(1, "insert")
        self._recent = KeySet()
        self._last_received = 0
        self.watch = watch or Watch(counters)
        self._troubles = troubles or Troubles()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to take bodies, after loading the ids of recent spans, which may be sent again."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._inserter, self._remember)
        self._tasks = [
            asyncio.create_task(self._kept(name, work))
            for name, work in (("read", self._read), ("commit", self._commit))
        ]

    def refuse_early(self) -> None:
        """Raise what `accept` would raise for any request: its body need not be read, then."""
        self._refuse()
        self.budget.require_room()

    def _refuse(self) -> None:
        if trouble := self._troubles.refusing():
            self._counters.requests_refused.labels("trouble").inc()
            raise StoreError(trouble.text)
        if self._closing:
            self._counters.requests_refused.labels("overloaded").inc()
            raise OverloadError(_STOPPING)

    async def accept(
        self, data: bytes, encoding: Encoding, share: Share | None = None, *, logs: bool = False
    ) -> Accepted:
        """Return once the spans of *data* are durable; *share* has counted its bytes as they came.

        With *logs*, it has log records, of which those that tell of spans and events become spans.

        Raise `OtlpError` if it cannot be read, `OverloadError` or `StoreError` if the sender should retry.
        """
        self._refuse()
        answer: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()
        held = share or self.budget.share()
        held.settle(len(data))
        held.keep_until(answer)
        self._waiting.append(_Waiting(Body(data, encoding, logs), answer))
        self._waiting_bytes += len(data)
        self._arrived.set()
        return await asyncio.shield(answer)  # it is stored even if the sender hangs up

    async def prove(self) -> None:
        """Return once a span of our own was stored, found and removed, and all parts have done their work.

        Raise `StoreError` if that fails. Nothing of it is counted.
        """
        empty: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(Body(b"", Encoding.PROTOBUF), empty))
        self._arrived.set()
        try:
            await empty
        except OverloadError:  # the process stops
            return
        if not self._closing:
            await asyncio.get_running_loop().run_in_executor(self._inserter, self._store.prove)

    async def close(self) -> None:
        """Take no more requests; return once everything accepted is stored and answered."""
        self._closing = True
        self._arrived.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)  # exceptions were logged already
        self._decoder.shutdown()
        self._inserter.shutdown()

    async def _kept(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        await self.watch.keep(name, work)
        if self.watch.given_up.is_set():
            self._give_up()

    def _give_up(self) -> None:
        """Refuse every waiting request, and every later one."""
        self._closing = True
        self._arrived.set()
        while not self._decoded.empty():
            if (group := self._decoded.get_nowait()) is not None:
                _fail(group.waiting, OverloadError(_STOPPING))
        _fail(self._waiting, OverloadError(_STOPPING))
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        while waiting := await self._next_group():
            bodies = [one.body for one in waiting]
            # Strictly increasing, so that "received after" never splits a group.
            self._last_received = max(self._clock(), self._last_received + 1)
            with _answered(waiting):
                decoded = await loop.run_in_executor(self._decoder, self._decode, bodies, self._last_received)
                await self._decoded.put(_Group(waiting, decoded))
        await self._decoded.put(None)

    async def _next_group(self) -> list[_Waiting]:
        """The requests that wait now, or the first to arrive; none when closing."""
        while not self._waiting and not self._closing:
            await self._arrival()
        # An insert costs 8 ms before its first span, so a group is worth waiting for: until the insert before
        # it is done, and then until the senders that were just answered have sent again.
        while self._inserting and not self._closing and self._waiting_bytes < _AHEAD_BYTES:
            await self._arrival()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                while self._behind() and not self._closing:  # noqa: ASYNC110  # another thread says so
                    await asyncio.sleep(_LINGER_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_S):
                while len(self._waiting) < self._last_size and not self._closing:
                    await self._arrival()
        group: list[_Waiting] = []
        size = 0
        while self._waiting and (not group or size + len(self._waiting[0].body.data) <= _GROUP_BYTES):
            group.append(self._waiting.popleft())
            size += len(group[-1].body.data)
        self._waiting_bytes -= size
        self._last_size = len(group)
        self._counters.waiting_bytes.set(self._waiting_bytes)
        return group

    async def _arrival(self) -> None:
        """Return when a request has arrived, or an insert has ended."""
        self._arrived.clear()
        await self._arrived.wait()

    def _decode(self, bodies: list[Body], received_unix_nano: int) -> Decoded:
        try:
            return decode(
                bodies,
                received_unix_nano,
                max_attributes=self._config.max_attributes,
                flow_keys=self._config.flow_keys,
            )
        except Exception as error:  # our own bug: it must cost one request, not the others in its group
            if len(bodies) == 1:
                log.exception("A request of %d bytes could not be read", len(bodies[0].data))
                return Decoded(NO_SPANS, [Verdict(error=OtlpError(f"{_UNREADABLE}: {error}"))])
        half = len(bodies) // 2
        parts = [self._decode(some, received_unix_nano) for some in (bodies[:half], bodies[half:])]
        spans = pa.concat_tables([part.spans for part in parts])
        return Decoded(spans, [verdict for part in parts for verdict in part.verdicts])

    async def _commit(self) -> None:
        while group := await self._decoded.get():
            with _answered(group.waiting):
                await self._store_group(group)

    async def _store_group(self, group: _Group) -> None:
        spans = group.decoded.spans
        told = list(zip(group.waiting, group.decoded.verdicts, strict=True))
        rejected = sum(verdict.rejected for one, verdict in told if not one.body.logs)
        records = [verdict for one, verdict in told if one.body.logs]
        received = spans.num_rows
        self._counters.received.inc(received + rejected)
        self._counters.refused.labels("invalid").inc(rejected)
        self._inserting = True
        try:
            spans, new = await asyncio.get_running_loop().run_in_executor(self._inserter, self._insert, spans)
        except BaseException as error:  # whatever happened, the spans may not be durable
            log.error("%d spans were not stored: %s", received, error)
            self._counters.refused.labels("store").inc(received)
            self._count_records(records, stored=False)
            self._counters.requests_refused.labels("store").inc(len(group.waiting))
            _fail(group.waiting, StoreError(str(error)))
            if not isinstance(error, Exception):
                raise
            return
        finally:
            self._inserting = False
            self._arrived.set()
        self._count_records(records, stored=True)
        self._counters.stored.inc(new)
        self._counters.duplicate.inc(received - new)
        self._answer(group)
        self._note_stored(group)
        self._tell(spans)

    def _count_records(self, verdicts: Iterable[Verdict], *, stored: bool) -> None:
        for verdict in verdicts:
            self._counters.records_received.inc(verdict.spans + verdict.rejected)
            for reason, count in verdict.refused.items():
                self._counters.records_refused.labels(reason).inc(count)
            if stored:
                self._counters.records_kept.inc(verdict.spans)
            else:
                self._counters.records_refused.labels("store").inc(verdict.spans)

    def _insert(self, spans: pa.Table) -> tuple[pa.Table, int]:
        """Store *spans*; return what was stored, and how many spans had not been stored before."""
        key = spread_span_keys(spans["trace_id"], spans["span_id"])
        spans = each_once(spans, key)  # of several copies in a group, readers could not tell which counts
        self._require_there()  # the engine would make a new folder
        with self._counters.commit_seconds.time():
            self._store.write(spans)
            self._require_there()  # what was stored in a folder that is gone is not durable
        return spans, self._recent.add(key)

    def _answer(self, group: _Group) -> None:
        for one, verdict in zip(group.waiting, group.decoded.verdicts, strict=True):
            if verdict.error is not None:
                self._counters.requests_refused.labels("undecodable").inc()
                _fail([one], verdict.error)
            elif not one.answer.done():
                one.answer.set_result(Accepted(verdict.rejected, verdict.message))

    def _note_stored(self, group: _Group) -> None:
        size, begun = sum(len(one.body.data) for one in group.waiting), group.waiting[0].arrived
        self._admission = self._admission.stored(size, begun, time.monotonic())
        self.budget.limit = self._admission.limit
        self._counters.admitted_bytes.set(self.budget.limit)

    def _tell(self, spans: pa.Table) -> None:
        try:
            if spans.num_rows:
                self._on_stored(spans)
        except Exception:
            log.exception("The live part could not take %d stored spans", spans.num_rows)

    def _remember(self) -> None:
        since = self._clock() - _REMEMBERED_S * 10**9
        # The store returns the latest first; the set wants the newest last.
        ids = self._store.ids_since(since, _REMEMBERED_SPANS)
        self._recent.add(spread_span_keys(ids["trace_id"], ids["span_id"])[::-1])


@contextlib.contextmanager
def _answered(waiting: list[_Waiting]) -> Iterator[None]:
    """Fail the requests in *waiting* if their handler dies, so that no sender waits forever."""
    try:
        yield
    except BaseException:
        _fail(waiting, StoreError("The collector failed on this request: send it again."))
        raise


def _fail(waiting: Iterable[_Waiting], error: Exception) -> None:
    for one in waiting:
        if not one.answer.done():  # done: the sender hung up
            one.answer.set_exception(error)
