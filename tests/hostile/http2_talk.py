"""Which frames of HTTP/2 attack a gRPC server? Written by hand, as no client library would send them."""

import gzip
from collections.abc import Callable, Mapping

from tests.factories import protobuf, request, span

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION = 0, 1, 3, 4, 6, 9
END_STREAM, END_HEADERS = 1, 4
EXPORT = b"/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_BODY = protobuf(request(span(id="framed")))


def frame(kind: int, flags: int, stream: int, octets: bytes = b"", *, said: int | None = None) -> bytes:
    """One frame; *said* is a false length."""
    size = len(octets) if said is None else said
    return size.to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + octets


def fields(pairs: Mapping[bytes, bytes]) -> bytes:
    """Headers as HPACK's literals, without its tables and without Huffman."""
    return b"".join(b"\x00" + _text(name) + _text(value) for name, value in pairs.items())


def _text(octets: bytes) -> bytes:
    size = len(octets)
    if size < 127:
        return bytes([size]) + octets
    size -= 127
    more = b""
    while size > 127:
        more += bytes([size & 127 | 128])
        size >>= 7
    return b"\x7f" + more + bytes([size]) + octets


def message(octets: bytes, *, packed: int = 0, said: int | None = None) -> bytes:
    """gRPC's frame around a message."""
    return bytes([packed]) + (len(octets) if said is None else said).to_bytes(4, "big") + octets


def asked(stream: int = 1, flags: int = END_HEADERS, more: Mapping[str, bytes] = {}) -> bytes:
    """The headers of one call; *more* replaces some of them, with _ for -."""
    said = {
        b":method": b"POST",
        b":scheme": b"http",
        b":path": EXPORT,
        b":authority": b"localhost",
        b"content-type": b"application/grpc",
        b"te": b"trailers",
    }
    said |= {
        name.encode().replace(b"_", b"-").replace(b"p-", b":", 1)
        if name.startswith("p_")
        else name.encode().replace(b"_", b"-"): value
        for name, value in more.items()
    }
    return frame(HEADERS, flags, stream, fields(said))


def call(octets: bytes, **more: bytes) -> bytes:
    """A whole call with *octets* as its data."""
    data = b"".join(frame(DATA, 0, 1, octets[at : at + 16_384]) for at in range(0, len(octets), 16_384))
    return asked(more=more) + data + frame(DATA, END_STREAM, 1)


def _resets(count: int) -> bytes:
    return b"".join(
        asked(stream) + frame(RST_STREAM, 0, stream, bytes(4)) for stream in range(1, 2 * count, 2)
    )


CASES: Mapping[str, bytes | Callable[[], bytes]] = {
    "gRPC message shorter than it says": call(message(_BODY, said=len(_BODY) + 9)),
    "gRPC message longer than it says": call(message(_BODY, said=3)),
    "gRPC message of 4 GiB, it says": call(message(_BODY, said=2**32 - 1)),
    "gRPC header cut off": call(b"\x00\x00"),
    "gRPC without a message": call(b""),
    "gRPC two messages": call(message(_BODY) * 2),
    "gRPC flag of packing without an encoding": call(message(gzip.compress(_BODY), packed=1)),
    "gRPC flag of packing 255": call(message(_BODY, packed=255)),
    "gRPC gzip that is none": call(message(_BODY, packed=1), grpc_encoding=b"gzip"),
    "gRPC gzip bomb": lambda: call(message(gzip.compress(bytes(2**27)), packed=1), grpc_encoding=b"gzip"),
    "gRPC encoding unknown": call(message(_BODY, packed=1), grpc_encoding=b"br"),
    "gRPC noise": call(message(b"\xff" * 99)),
    "gRPC length that overflows": call(message(b"\x0a" + b"\xff" * 9 + b"\x01")),
    "gRPC kind of content": call(message(_BODY), content_type=b"text/html"),
    "gRPC method GET": call(message(_BODY), p_method=b"GET"),
    "gRPC path of nothing": call(message(_BODY), p_path=b"/"),
    "gRPC path of 15 KB": call(message(_BODY), p_path=b"/" + b"a" * 15_000),
    "gRPC timeout of nonsense": call(message(_BODY), grpc_timeout=b"-1Q"),
    "gRPC timeout of nothing": call(message(_BODY), grpc_timeout=b"0n"),
    "gRPC metadata of 15 KB": call(message(_BODY), x_large=b"m" * 15_000),
    "gRPC metadata of escapes": call(message(_BODY), x_escapes=b"\x1b[31m\x07"),
    "gRPC binary metadata of no base64": call(message(_BODY), x_bad_bin=b"%%%"),
    "gRPC token of nonsense": call(message(_BODY), authorization=b"\xff\xfe"),
    "HTTP/2 10,000 resets": lambda: _resets(10_000),
    "HTTP/2 1,000 streams at once": lambda: b"".join(asked(stream) for stream in range(1, 2_000, 2)),
    "HTTP/2 headers that go on and on": lambda: asked(flags=0) + frame(CONTINUATION, 0, 1, fields({b"x": b"y" * 9_000})) * 200,
    "HTTP/2 10,000 pings": lambda: frame(PING, 0, 0, bytes(8)) * 10_000,
    "HTTP/2 10,000 settings": lambda: frame(SETTINGS, 0, 0) * 10_000,
    "HTTP/2 10,000 empty data": lambda: asked() + frame(DATA, 0, 1) * 10_000,
    "HTTP/2 frame of 16 MiB, it says": frame(DATA, 0, 1, b"x" * 99, said=2**24 - 1),
    "HTTP/2 data of no stream": frame(DATA, END_STREAM, 0, b"x"),
    "HTTP/2 data before headers": frame(DATA, END_STREAM, 7, b"x"),
    "HTTP/2 stream that goes back": asked(5) + asked(3),
    "HTTP/2 stream of the server": asked(2),
    "HTTP/2 headers of nothing": frame(HEADERS, END_HEADERS | END_STREAM, 1),
    "HTTP/2 headers of noise": frame(HEADERS, END_HEADERS, 1, bytes(range(255))),
    "HTTP/2 table of 2 GiB": frame(HEADERS, END_HEADERS, 1, b"\x3f\xe1\xff\xff\xff\x07"),
    "HTTP/2 settings of nonsense": frame(SETTINGS, 0, 0, b"\x00\x04\xff\xff\xff\xff\x00\x05\x00\x00\x00\x00"),
    "HTTP/2 settings of 5 bytes": frame(SETTINGS, 0, 0, bytes(5)),
    "HTTP/2 kind of frame unknown": frame(99, 255, 1, b"x" * 99),
    "HTTP/2 window that overflows": frame(8, 0, 0, b"\x7f\xff\xff\xff") * 3,
    "HTTP/2 priority of itself": frame(2, 0, 1, b"\x00\x00\x00\x01\x10"),
    "HTTP/2 preface only": b"",
}  # fmt: skip
