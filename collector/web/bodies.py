"""Reads and inflates request bodies, never more than the allowed number of bytes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
from starlette.requests import ClientDisconnect
from zlib_ng import zlib_ng

_SMALL = 32 * 1024  # inflating this takes a millisecond or two, so a thread is not worth it
# Each may hold a whole inflated body that nobody has counted yet.
_INFLATING = ThreadPoolExecutor(2, "inflate")
_SECONDS = 30.0  # for a body, and longer for one that comes at the least rate
_LEAST_RATE = 64 * 1024  # bytes a second
_WINDOWS = {"gzip": zlib_ng.MAX_WBITS | 16, "x-gzip": zlib_ng.MAX_WBITS | 16, "deflate": zlib_ng.MAX_WBITS}
_FREE = 1024 * 1024  # so many bytes may come out of a body of any size
_RATIO = 200  # to one: spans shrink to a tenth or a twentieth


class BodyError(Exception):
    """A body that cannot be unpacked."""


class TooLargeError(BodyError):
    """A body above the limit, on the wire or inflated."""


class SlowError(BodyError):
    """A body that did not come in its time, or not at all."""


class CodingError(BodyError):
    """A content coding that is not supported."""


async def receive(
    chunks: AsyncIterator[bytes],
    coding: str,
    limit: int,
    *,
    count: Callable[[int], None] = lambda size: None,
    seconds: float = _SECONDS,
) -> bytes:
    """The whole body, inflated; raise a `BodyError` if it is above *limit*, broken or too slow.

    Reading stops at the limit: what is beyond it is neither kept nor inflated. *count* is called with the
    size of each chunk before it is kept, and may refuse it with an exception. A body may take *seconds*, and
    longer while it comes at 64 KiB a second.
    """
    parts = []
    size = 0
    begun = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(seconds) as deadline:
            async for chunk in chunks:
                size += len(chunk)
                if size > limit:
                    raise TooLargeError(f"The body has more than {limit:,} bytes: send less at once.")
                count(len(chunk))
                parts.append(chunk)
                deadline.reschedule(begun + seconds + size / _LEAST_RATE)
    except TimeoutError as error:
        if not deadline.expired():
            raise
        raise SlowError(
            f"Only {size:,} bytes of the body came in {asyncio.get_running_loop().time() - begun:.0f} s:"
            f" expected all of it within {seconds:g} s, or {_LEAST_RATE:,} bytes a second."
        ) from error
    except ClientDisconnect as error:
        raise SlowError(f"The sender hung up after {size:,} bytes of the body.") from error
    data = parts[0] if len(parts) == 1 else b"".join(parts)
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        return data
    if len(data) <= _SMALL:
        return inflate(data, coding, limit)
    return await asyncio.get_running_loop().run_in_executor(_INFLATING, inflate, data, coding, limit)


def inflate(data: bytes, coding: str, limit: int) -> bytes:
    """Undo the content coding: gzip, deflate or zstd.

    A gzipped body is one stream, with nothing after it: millions of empty ones take seconds and hold nothing.
    """
    most = min(limit, max(_FREE, _RATIO * len(data)))
    try:
        if coding in _WINDOWS:
            inflated = _zlib(data, _WINDOWS[coding], most + 1)
        elif coding == "zstd":
            inflated = _arrow(data, coding, most + 1)
        else:
            raise CodingError(f"Content-Encoding is '{coding[:40]}': expected gzip, deflate, zstd or none.")
    except (OSError, _StreamError) as error:
        raise BodyError(f"The body is no {coding}: {error}.") from error
    if len(inflated) > most:
        what = f"{_RATIO} times its size, which no spans do" if most < limit else f"{limit:,} bytes"
        raise TooLargeError(f"The body inflates to more than {what}: send less at once.")
    return inflated


def inflate_file(data: bytes, limit: int) -> bytes:
    """Undo the gzip or zstd of a file, if there is any.

    Other than a body, it may be several streams, as `cat` and `bgzip` make it, or messages that are packed
    one by one, as the Collector's file exporter writes them with `compression: zstd`.
    """
    if data[4:8] == _ZSTD:
        return _messages(data, limit)
    coding = "gzip" if data[:2] == _GZIP else "zstd" if data[:4] == _ZSTD else ""
    if not coding:
        return data
    try:
        inflated = _arrow(data, coding, limit + 1)
    except OSError as error:
        raise BodyError(f"It is no {coding}: {error}.") from error
    if len(inflated) > limit:
        raise TooLargeError(f"It inflates to more than {limit:,} bytes: send less at once.")
    return inflated


def _messages(data: bytes, limit: int) -> bytes:
    """The messages of a file in which each is packed, and follows its length; text becomes lines.

    What cannot be unpacked, such as a message that is still being written, stays as it is, to be told.
    """
    messages, place, left = list[bytes](), 0, limit
    most = max(_FEW, len(data) // _SMALLEST)
    while data[place + 4 : place + 8] == _ZSTD and len(messages) < most:
        begins = place + 4
        place = begins + int.from_bytes(data[place:begins], "big")
        message = data[begins:place]
        with contextlib.suppress(OSError):
            message = _arrow(message, "zstd", left + 1)
        messages.append(message)
        left -= len(message) + 4
        if left < 0:
            raise TooLargeError(f"It inflates to more than {limit:,} bytes: send less at once.")
    if place < len(data):
        messages.append(data[place + 4 :])
    if messages[0].startswith(b"{"):
        return b"\n".join(messages)
    return b"".join(len(message).to_bytes(4, "big") + message for message in messages)


_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"  # how these begin
_FEW, _SMALLEST = 1_024, 24  # packed messages: so many are read, or one for so many bytes


class _StreamError(Exception):
    """What is wrong with a compressed stream."""


def _zlib(data: bytes, window: int, limit: int) -> bytes:
    stream = zlib_ng.decompressobj(window)
    try:
        inflated = stream.decompress(data, limit)
    except zlib_ng.error as error:  # type: ignore[misc]  # it is a class, and its stub says that it is none
        raise _StreamError(str(error)) from error
    if len(inflated) < limit and not stream.eof:
        raise _StreamError("it ends too early")
    if stream.unused_data:
        raise _StreamError("something follows its end")
    return inflated


def _arrow(data: bytes, coding: str, limit: int) -> bytes:
    """The contents of one or more compressed streams, one after the other."""
    with pa.CompressedInputStream(pa.BufferReader(data), coding) as stream:
        inflated: bytes = stream.read(limit)
        return inflated
