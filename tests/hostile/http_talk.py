"""Which bytes on a connection attack an HTTP server? Contradictions, floods, and what is no HTTP at all.

Each may be answered, but not with a 5xx, or its connection closed. A smuggled request, one within the body of
another or behind it, carries a span that must never be stored.
"""

from collections.abc import Mapping

from tests.factories import protobuf, request, span

SMUGGLED = protobuf(request(span(id="smuggled", trace="smuggled"), service="smuggled"))
_SOUND = protobuf(request(span(id="carrier")))
_HOST = b"Host: localhost\r\n"
_KIND = b"Content-Type: application/x-protobuf\r\n"


def post(headers: bytes, body: bytes = b"", *, path: bytes = b"/v1/traces", host: bytes = _HOST) -> bytes:
    """A POST as bytes; nothing is added to *headers* but the host and the kind of content."""
    return b"POST " + path + b" HTTP/1.1\r\n" + host + _KIND + headers + b"\r\n" + body


def _length(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n" % len(body)


def _chunk(body: bytes) -> bytes:
    return b"%x\r\n" % len(body) + body + b"\r\n"


_INNER = post(_length(SMUGGLED), SMUGGLED)
_CHUNKED = b"Transfer-Encoding: chunked\r\n"

CASES: Mapping[str, bytes] = {
    "length and chunks": post(_length(_INNER) + _CHUNKED, b"0\r\n\r\n" + _INNER),
    "chunks and a length": post(_CHUNKED + b"Content-Length: 4\r\n", _chunk(_SOUND) + b"0\r\n\r\n" + _INNER),
    "two lengths": post(b"Content-Length: 0\r\nContent-Length: %d\r\n" % len(_INNER), _INNER),
    "two lengths in one line": post(b"Content-Length: 0, %d\r\n" % len(_INNER), _INNER),
    "length with a sign": post(b"Content-Length: +0\r\n", _INNER),
    "length in hex": post(b"Content-Length: 0x0\r\n", _INNER),
    "length of 2^64": post(b"Content-Length: 18446744073709551616\r\n", _SOUND),
    "length of 2^63": post(b"Content-Length: 9223372036854775807\r\n", _SOUND),
    "length below 0": post(b"Content-Length: -1\r\n", _SOUND),
    "length with a space before the colon": post(b"Content-Length : 0\r\n", _INNER),
    "length with a tab before the colon": post(b"Content-Length\t: 0\r\n", _INNER),
    "chunks with a space before the colon": post(b"Transfer-Encoding : chunked\r\nContent-Length: 0\r\n", _INNER),
    "chunks spelled otherwise": post(b"Transfer-Encoding: xchunked\r\n" + _length(_INNER), _INNER),
    "chunks, identity": post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n" + _INNER),
    "chunks twice": post(_CHUNKED + _CHUNKED, b"0\r\n\r\n"),
    "chunk of size -1": post(_CHUNKED, b"-1\r\n" + _SOUND),
    "chunk of 2^64": post(_CHUNKED, b"10000000000000000\r\n" + _SOUND),
    "chunk that is no hex": post(_CHUNKED, b"zz\r\n" + _SOUND),
    "chunk without its end": post(_CHUNKED, b"3\r\nabcdef\r\n0\r\n\r\n"),
    "chunk with an extension of 100 KB": post(_CHUNKED, b"1;" + b"x" * 100_000 + b"\r\na\r\n0\r\n\r\n"),
    "chunks of one byte": post(_CHUNKED, b"1\r\na\r\n" * 5_000 + b"0\r\n\r\n"),
    "1,000 trailers": post(_CHUNKED, b"0\r\n" + b"X-T: 1\r\n" * 1_000 + b"\r\n"),
    "folded header": post(b"X-A: b\r\n Content-Length: 5\r\nContent-Length: 0\r\n"),
    "bare line feeds": post(b"").replace(b"\r\n", b"\n"),
    "bare carriage return in a header": post(b"X-A: b\rContent-Length: 5\r\nContent-Length: 0\r\n", _INNER),
    "NUL in a header": post(b"X-A: \x00\r\nContent-Length: 0\r\n"),
    "line break in a header": post(b"X-A: b\r\n\r\n"),
    "header without a name": post(b": x\r\nContent-Length: 0\r\n"),
    "header of 1 MiB": post(b"X-A: " + b"a" * 2**20 + b"\r\nContent-Length: 0\r\n"),
    "10,000 headers": post(b"".join(b"X-%d: 1\r\n" % n for n in range(10_000)) + b"Content-Length: 0\r\n"),
    "no host": post(b"Content-Length: 0\r\n", host=b""),
    "two hosts": post(b"Content-Length: 0\r\nHost: evil.example\r\n"),
    "foreign host": post(b"Content-Length: 0\r\n", host=b"Host: evil.example\r\n"),
    "absolute address": post(b"Content-Length: 0\r\n", path=b"http://evil.example/v1/traces"),
    "address of 1 MiB": post(b"Content-Length: 0\r\n", path=b"/" + b"a" * 2**20),
    "question of 100 KB": post(b"Content-Length: 0\r\n", path=b"/v1/traces?" + b"a=b&" * 25_000),
    "path that climbs": post(b"Content-Length: 0\r\n", path=b"/v1/../../../../etc/passwd"),
    "path that climbs in percent": post(b"Content-Length: 0\r\n", path=b"/%2e%2e/%2e%2e/etc/passwd"),
    "path with NUL": post(b"Content-Length: 0\r\n", path=b"/v1/traces%00"),
    "path of control characters": post(b"Content-Length: 0\r\n", path=b"/%1b%5b31m%0d%0aX:1"),
    "path of broken percents": post(b"Content-Length: 0\r\n", path=b"/%zz%f"),
    "path of no UTF-8": post(b"Content-Length: 0\r\n", path=b"/\xff\xfe"),
    "star": b"OPTIONS * HTTP/1.1\r\n" + _HOST + b"\r\n",
    "CONNECT": b"CONNECT evil.example:443 HTTP/1.1\r\n" + _HOST + b"\r\n",
    "TRACE": b"TRACE /v1/traces HTTP/1.1\r\n" + _HOST + b"\r\n",
    "method of our own": b"EXPORT /v1/traces HTTP/1.1\r\n" + _HOST + b"\r\n",
    "method of 64 KB": b"A" * 65_536 + b" / HTTP/1.1\r\n\r\n",
    "version 0.9": b"GET /v1/traces\r\n\r\n",
    "version 9.9": b"GET /v1/traces HTTP/9.9\r\n" + _HOST + b"\r\n",
    "version of words": b"GET / HTTP/one\r\n\r\n",
    "upgrade to a websocket": b"GET /v1/traces HTTP/1.1\r\n" + _HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    "upgrade to HTTP/2": b"GET /v1/traces HTTP/1.1\r\n" + _HOST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
    "preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    "hello of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "noise": bytes(range(256)) * 4,
    "nothing but line ends": b"\r\n" * 1_000,
    "a hundred requests at once": post(b"Content-Length: 0\r\n") * 100,
    "expects to be told to go on": post(b"Expect: 100-continue\r\n" + _length(_SOUND), _SOUND),
    "expects what is not to be had": post(b"Expect: 200-ok\r\n" + _length(_SOUND), _SOUND),
    "says keep-alive and close": post(b"Connection: keep-alive, close\r\nContent-Length: 0\r\n"),
    "kind of content of 60 KB": b"POST /v1/traces HTTP/1.1\r\n" + _HOST + b"Content-Type: " + b"x" * 60_000 + b"\r\nContent-Length: 0\r\n\r\n",
    "kind of content with escapes": b"POST /v1/traces HTTP/1.1\r\n" + _HOST + b"Content-Type: \xff\x1b[31m\r\nContent-Length: 0\r\n\r\n",
    "authorization of 60 KB": post(b"Authorization: Bearer " + b"x" * 60_000 + b"\r\nContent-Length: 0\r\n"),
    "authorization of no ASCII": post(b"Authorization: Bearer \xff\xfe\r\nContent-Length: 0\r\n"),
    "forwarded from elsewhere": post(b"X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Host: evil\r\nForwarded: host=evil\r\nContent-Length: 0\r\n"),
}  # fmt: skip
