"""One look at NATS: asks one question, and remembers the answer."""

from collections.abc import Callable, Iterator

import msgspec

from collector.brokers.contract import Wanted
from collector.brokers.nats import connz, gaps
from collector.brokers.nats.asking import AskError, Asking, NobodyError, RefusedError
from collector.brokers.nats.jetstream import (
    MOST_DELETED,
    PAGE,
    ConsumerInfo,
    ConsumerPage,
    StreamInfo,
    StreamPage,
    consumer_of,
    stored_of,
    stream_of,
)
from collector.brokers.nats.recollection import Recollection
from collector.brokers.nats.rhythm import Target, What, holds_ns
from collector.model.facts import Connection

_MOST_CONSUMERS, _MOST_STREAMS, _MOST_CONNECTIONS = 20_000, 5_000, 20_000
_SPOTS = 1_000  # of one stream at once
_SILENT = 3  # looks in a row without an answer, before that is said
_NO_CONSUMER, _NO_STREAM, _OFF = 10014, 10059, (10039, 10076)


class Looking:
    """Looks over one connection."""

    def __init__(
        self, asking: Asking, memory: Recollection, clock: Callable[[], int], requests_s: float
    ) -> None:
        self._asking, self._memory, self._clock = asking, memory, clock
        self._requests_s = requests_s
        self.refused: set[What] = set()
        self.nobody: dict[What, bool] = {}
        self._silent: dict[What, int] = {}
        self._servers = 1
        self._streams_until, self._streams_as_of = 0, 0
        self._listed: dict[
            str, tuple[int, int]
        ] = {}  # of each stream: until when its list is whole, as of when

    async def at(self, target: Target, wanted: Wanted, pause_s: float) -> None:
        """Look at *target*, which is looked at every *pause_s* seconds; an error is remembered as a gap."""
        what = target.what
        try:
            match what:
                case What.STREAMS:
                    await self._streams(pause_s)
                case What.CONSUMERS:
                    await self._consumers(target.stream, pause_s)
                case What.CONSUMER:
                    await self._consumer(target, pause_s)
                case What.MESSAGES:
                    await self._messages(target.stream, wanted, pause_s)
                case What.CONNECTIONS:
                    await self._connections(pause_s)
        except RefusedError:
            self.refused.add(what)
        except NobodyError:
            self.nobody[what] = True
        except AskError:
            self._silent[what] = self._silent.get(what, 0) + 1
        else:
            self.refused.discard(what)
            self.nobody[what] = False
            self._silent[what] = 0
            self._memory.heard(self._clock())
        self._memory.whole(*self._whole())

    def gaps(self) -> Iterator[str]:
        """What could not be looked at."""
        yield from (gaps.refused(what) for what in sorted(self.refused))
        if self.nobody.get(What.STREAMS):
            yield gaps.NO_JETSTREAM
        if self.nobody.get(What.CONNECTIONS):
            yield gaps.NO_SYSTEM
        yield from (gaps.unanswered(what) for what, times in self._silent.items() if times >= _SILENT)

    async def _streams(self, pause_s: float) -> None:
        found, offset, whole = [], 0, True
        as_of = self._clock()
        until = as_of + holds_ns(pause_s)
        while offset < _MOST_STREAMS:
            body = msgspec.json.encode({"offset": offset})
            page = await self._asking.one("$JS.API.STREAM.LIST", body, StreamPage)
            if page.error is not None:
                if page.error.err_code in _OFF:
                    raise NobodyError(page.error.description)
                raise AskError(page.error.description)
            found += [stream_of(one, as_of, until) for one in page.streams or ()]
            whole &= not page.missing
            offset += len(page.streams or ())
            if not page.streams or offset >= page.total:
                break
        whole &= offset < _MOST_STREAMS
        self._memory.streams(found, whole=whole)
        self._streams_until, self._streams_as_of = (until if whole else 0), as_of

    async def _consumers(self, stream: str, pause_s: float) -> None:
        before = {one.name: one for one in self._memory.known.consumers if one.stream == stream}
        found, offset, whole = [], 0, True
        first = self._clock()
        while offset < _MOST_CONSUMERS:
            as_of = self._clock()
            body = msgspec.json.encode({"offset": offset})
            page = await self._asking.one(f"$JS.API.CONSUMER.LIST.{stream}", body, ConsumerPage)
            if page.error is not None:
                if page.error.err_code == _NO_STREAM:
                    break
                raise AskError(page.error.description)
            until = as_of + holds_ns(pause_s)
            rows = page.consumers or []
            found += [consumer_of(one, as_of, until, before.get(one.name)) for one in rows]
            whole &= not page.missing
            offset += PAGE if rows else 0
            if not rows or offset >= page.total:
                break
        whole &= offset < _MOST_CONSUMERS
        self._memory.consumers(stream, found, self._clock(), whole=whole)
        self._listed[stream] = (first + holds_ns(pause_s) if whole else 0, first)

    async def _consumer(self, target: Target, pause_s: float) -> None:
        known = self._memory.known.consumers
        before = next((one for one in known if (one.stream, one.name) == target[1:]), None)
        as_of = self._clock()
        subject = f"$JS.API.CONSUMER.INFO.{target.stream}.{target.consumer}"
        info = await self._asking.one(subject, b"", ConsumerInfo)
        if info.error is not None:
            if info.error.err_code not in {_NO_CONSUMER, _NO_STREAM}:
                raise AskError(info.error.description)
            self._memory.without(target.stream, target.consumer, self._clock())
            return
        self._memory.consumer(consumer_of(info, as_of, as_of + holds_ns(pause_s), before))

    async def _messages(self, stream: str, wanted: Wanted, pause_s: float) -> None:
        spots = sorted(spot for spot in wanted.spots if spot.stream == stream)[:_SPOTS]
        as_of = self._clock()
        info = await self._asking.one(f"$JS.API.STREAM.INFO.{stream}", b"", StreamInfo)
        if info.error is None and 0 < info.state.num_deleted <= MOST_DELETED:
            body = msgspec.json.encode({"deleted_details": True})
            info = await self._asking.one(f"$JS.API.STREAM.INFO.{stream}", body, StreamInfo)
        if info.error is not None:
            raise AskError(info.error.description)
        self._memory.streams([stream_of(info, as_of, as_of + holds_ns(pause_s))], whole=False)
        self._memory.stored(stored_of(info, spots, as_of, as_of + holds_ns(pause_s)))

    async def _connections(self, pause_s: float) -> None:
        as_of = self._clock()
        until, found, whole = as_of + holds_ns(pause_s), list[Connection](), True
        open_ones, offset = connz.question(closed=False), 0
        answers = await self._asking.every(connz.SUBJECT, open_ones, connz.Answer, self._servers)
        # A server that is gone is expected again only when it has answered again.
        whole = len(answers) >= self._servers and all(one.data is not None for one in answers)
        self._servers = max(1, len(answers))
        while True:
            found += [each for one in answers for each in connz.connections_of(one, as_of, until)]
            offset += connz.PAGE
            most = max((one.data.total for one in answers if one.data is not None), default=0)
            if offset >= most or offset >= _MOST_CONNECTIONS:
                whole &= offset >= most
                break
            more = connz.question(closed=False, offset=offset)
            answers = await self._asking.every(connz.SUBJECT, more, connz.Answer, self._servers)
        ended = await self._asking.every(
            connz.SUBJECT, connz.question(closed=True), connz.Answer, self._servers
        )
        found += [each for one in ended for each in connz.connections_of(one, as_of, until)]
        self._memory.connections(found, as_of, until if whole else 0)

    def _whole(self) -> tuple[int, int]:
        """Until when all lists of consumers together are whole, and as of when."""
        streams = self._memory.known.streams
        listed = [self._listed.get(one.name, (0, 0)) for one in streams]
        until = min([self._streams_until, *(one for one, _ in listed)])
        return until, min((at for _, at in listed), default=self._streams_as_of)
