"""Which packings attack the one who unpacks? Bombs, chains of streams, tails, and codings nobody agreed on.

Each is a pair of a Content-Encoding and a body; all hold, or should hold, protobuf.
"""

import gzip
import zlib
from collections.abc import Callable, Mapping

import pyarrow as pa

from tests.factories import protobuf, request, span

Packed = tuple[str, str | None, Callable[[], bytes]]  # what may become of it, coding, body

_BODY = protobuf(request(span(id="packed")))


def zstd(data: bytes) -> bytes:
    """*data* as one frame of zstd."""
    packed: bytes = pa.compress(data, "zstd", asbytes=True)
    return packed


def _deflate_raw(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


def _big_window() -> bytes:
    """A frame that asks for a window of 2 GiB."""
    return b"\x28\xb5\x2f\xfd" + b"\x00" + b"\xa8" + b"\x01\x00\x00"


CASES: Mapping[str, Packed] = {
    "gzip bomb": ("refused", "gzip", lambda: gzip.compress(bytes(2**26))),
    "gzip bomb of four levels": ("refused", "gzip", lambda: gzip.compress(gzip.compress(gzip.compress(gzip.compress(bytes(2**24)))))),
    "deflate bomb": ("refused", "deflate", lambda: zlib.compress(bytes(2**26))),
    "zstd bomb": ("refused", "zstd", lambda: zstd(bytes(2**27))),
    "gzip that inflates to just one megabyte": ("either", "gzip", lambda: gzip.compress(bytes(2**20))),
    "gzip of two members": ("refused", "gzip", lambda: gzip.compress(_BODY[:9]) + gzip.compress(_BODY[9:])),
    "gzip of 100,000 empty members": ("refused", "gzip", lambda: gzip.compress(b"") * 100_000),
    "gzip with a tail": ("refused", "gzip", lambda: gzip.compress(_BODY) + b"tail"),
    "gzip with zeros behind it": ("refused", "gzip", lambda: gzip.compress(_BODY) + bytes(512)),
    "gzip cut off": ("refused", "gzip", lambda: gzip.compress(_BODY)[:-5]),
    "gzip of which only the header came": ("refused", "gzip", lambda: gzip.compress(_BODY)[:10]),
    "gzip with a wrong checksum": ("refused", "gzip", lambda: gzip.compress(_BODY)[:-8] + bytes(8)),
    "gzip with a file name of a megabyte": ("either", "gzip", lambda: b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * 2**20 + b"\0" + gzip.compress(_BODY)[10:]),
    "gzip of another method": ("refused", "gzip", lambda: b"\x1f\x8b\x07" + gzip.compress(_BODY)[3:]),
    "gzip of nothing": ("kept", "gzip", lambda: gzip.compress(b"")),
    "gzip header and an empty body": ("refused", "gzip", lambda: b""),
    "zstd of 100,000 empty frames": ("either", "zstd", lambda: zstd(b"") * 100_000),
    "zstd of 100,000 frames to skip": ("either", "zstd", lambda: b"\x50\x2a\x4d\x18\x00\x00\x00\x00" * 100_000 + zstd(_BODY)),
    "zstd with a tail": ("refused", "zstd", lambda: zstd(_BODY) + b"tail"),
    "zstd cut off": ("refused", "zstd", lambda: zstd(_BODY)[:-3]),
    "zstd that wants a window of 2 GiB": ("refused", "zstd", _big_window),
    "zstd that lies about its size": ("refused", "zstd", lambda: b"\x28\xb5\x2f\xfd\xe0" + b"\xff" * 8 + b"\x01\x00\x00"),
    "deflate without its header": ("refused", "deflate", lambda: _deflate_raw(_BODY)),
    "deflate with a tail": ("refused", "deflate", lambda: zlib.compress(_BODY) + b"x"),
    "deflate with a dictionary": ("refused", "deflate", lambda: b"\x78\xbb\x00\x00\x00\x01" + bytes(9)),
    "brotli": ("refused", "br", lambda: b"\x0b\x02\x80" + _BODY),
    "compress": ("refused", "compress", lambda: b"\x1f\x9d" + _BODY),
    "gzip that is not packed": ("refused", "gzip", lambda: _BODY),
    "packed and not said": ("refused", None, lambda: gzip.compress(_BODY)),
    "gzip that is called zstd": ("refused", "zstd", lambda: gzip.compress(_BODY)),
    "zstd that is called gzip": ("refused", "gzip", lambda: zstd(_BODY)),
    "gzip of gzip": ("refused", "gzip, gzip", lambda: gzip.compress(gzip.compress(_BODY))),
    "coding of 7 KiB": ("refused", "gzip," * 1_400, lambda: gzip.compress(_BODY)),
    "coding with a quality": ("refused", "gzip;q=1", lambda: gzip.compress(_BODY)),
    "coding of text": ("refused", "{0.__class__}%s<script>", lambda: _BODY),
    "identity, said": ("kept", "identity", lambda: _BODY),
}  # fmt: skip
