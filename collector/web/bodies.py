"""Reads and inflates request bodies, never more than the allowed number of bytes."""

import asyncio
import zlib
from collections.abc import AsyncIterator

import pyarrow as pa

_SMALL = 32 * 1024  # inflating this takes a millisecond or two, so a thread is not worth it
_STREAMS = {"gzip": "gzip", "x-gzip": "gzip", "zstd": "zstd"}


class BodyError(Exception):
    """A body that cannot be unpacked."""


class TooLargeError(BodyError):
    """A body above the limit, on the wire or inflated."""


class CodingError(BodyError):
    """A content coding that is not supported."""


async def receive(chunks: AsyncIterator[bytes], coding: str, limit: int) -> bytes:
    """The whole body, inflated; raise a `BodyError` if it is above *limit* or broken.

    Reading stops at the limit: what is beyond it is neither kept nor inflated.
    """
    parts = []
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise TooLargeError(f"The body has more than {limit:,} bytes: send less at once.")
        parts.append(chunk)
    data = parts[0] if len(parts) == 1 else b"".join(parts)
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        return data
    if len(data) <= _SMALL:
        return inflate(data, coding, limit)
    return await asyncio.to_thread(inflate, data, coding, limit)


def inflate(data: bytes, coding: str, limit: int) -> bytes:
    """Undo the content coding: gzip, deflate or zstd."""
    try:
        if coding == "deflate":
            inflated = _deflate(data, limit + 1)
        elif coding in _STREAMS:
            with pa.CompressedInputStream(pa.BufferReader(data), _STREAMS[coding]) as stream:
                inflated = stream.read(limit + 1)
        else:
            raise CodingError(f"Content-Encoding is '{coding[:40]}': expected gzip, deflate, zstd or none.")
    except (OSError, zlib.error) as error:
        raise BodyError(f"The body is no {coding}: {error}.") from error
    if len(inflated) > limit:
        raise TooLargeError(f"The body inflates to more than {limit:,} bytes: send less at once.")
    return inflated


def _deflate(data: bytes, limit: int) -> bytes:
    stream = zlib.decompressobj()
    inflated = stream.decompress(data, limit)
    if len(inflated) < limit and not stream.eof:
        raise zlib.error("it ends too early")
    if stream.unused_data:
        raise zlib.error("something follows its end")
    return inflated
