"""Which questions attack the API? Each parameter, each path and each body, with what it does not expect."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from urllib.parse import quote

TEXTS = {
    "a script": "<script>window.pwned=1</script>",
    "SQL": "'; DROP TABLE spans; --",
    "SQL's wildcards": "%_\\%" * 20,
    "a format": "{0.__class__} %s %n {{7*7}} ${7*7}",
    "control characters": "\x1b[31m\x07\x00\r\nSet-Cookie: x=1",
    "a path": "../../../../etc/passwd",
    "right to left": "\u202e\u2066\ufeff",
    "digits of elsewhere": "\u0661\u0662\u0663",
    "a megabyte": "a" * 60_000,
    "nothing": "",
    "spaces": " \t ",
    "minus one": "-1",
    "2^64": "18446744073709551616",
    "5,000 digits": "9" * 5_000,
    "NaN": "nan",
    "1e9": "1e9",
    "a list in text": "[1,2,3]",
    "a cursor of elsewhere": "eyJhIjogMX0=",
}
NUMBERS = (
    "nothing",
    "spaces",
    "minus one",
    "2^64",
    "5,000 digits",
    "NaN",
    "1e9",
    "a list in text",
    "a script",
    "digits of elsewhere",
)
# The parameters of each question; True: a number is expected, or a word of a few.
PARAMETERS = {
    "/api/v1/flows": {
        "q": False,
        "state": True,
        "waiting_for": False,
        "window_s": True,
        "sort": True,
        "limit": True,
        "cursor": False,
    },
    "/api/v1/flows.csv": {"columns": True, "limit": True},
    "/api/v1/stuck": {"late": True, "each": True, "limit": True, "cursor": False},
    "/api/v1/map": {"window_s": True},
    "/api/v1/expectations": {"event_type": False, "service": False},
}
NAMED = ("/api/v1/flows/", "/api/v1/spans/", "/api/v1/span/", "/api/v1/why/", "/")
_DECISION = {"word": "keep", "event_type": "e", "service": "s", "author": "a", "reason": "r"}


@dataclass(frozen=True)
class Question:
    """One request to the API."""

    name: str
    path: str
    method: str = "GET"
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def questions() -> Iterator[Question]:
    """All of them."""
    for (path, parameters), (name, text) in product(PARAMETERS.items(), TEXTS.items()):
        for parameter in (one for one, number in parameters.items() if not number or name in NUMBERS):
            yield Question(f"{path} {parameter} is {name}", f"{path}?{parameter}={quote(text, safe='')}")
    for path, (name, text) in product(NAMED, TEXTS.items()):
        yield Question(f"{path} + {name}", path + quote(text, safe=""))
    yield Question("parameter without a value", "/api/v1/flows?limit")
    yield Question("parameter twice", "/api/v1/flows?limit=1&limit=x")
    yield Question("1,000 parameters", "/api/v1/flows?" + "&".join(f"p{n}=1" for n in range(1_000)))
    yield Question("broken percents", "/api/v1/flows?q=%zz%f%")
    yield Question("no UTF-8", "/api/v1/flows?q=%ff%fe&state=%c0%80")
    yield Question("no UTF-8 in a path", "/api/v1/flows/%ff%fe%00")
    for method in ("PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "HEAD", "POST", "EXPORT"):
        yield Question(f"{method} of flows", "/api/v1/flows", method)
    json_kind = {"content-type": "application/json"}
    for name, wish in _wishes():
        body = wish if isinstance(wish, bytes) else json.dumps(wish).encode()
        yield Question(f"decision: {name}", "/api/v1/expectations", "POST", body, json_kind)
    for name, headers in {
        "of a form": {"content-type": "application/x-www-form-urlencoded"},
        "of text": {"content-type": "text/plain"},
        "of another site": json_kind | {"sec-fetch-site": "cross-site"},
        "of another origin": json_kind | {"origin": "http://evil.example"},
        "of the origin null": json_kind | {"origin": "null"},
        "in br": json_kind | {"content-encoding": "br"},
    }.items():
        yield Question(
            f"decision {name}", "/api/v1/expectations", "POST", json.dumps(_DECISION).encode(), headers
        )
    bomb = gzip.compress(bytes(2**25))
    yield Question(
        "decision of a bomb", "/api/v1/expectations", "POST", bomb, json_kind | {"content-encoding": "gzip"}
    )
    yield Question("file of a bomb", "/api/v1/stitch", "POST", bomb)
    yield Question("file packed twice", "/api/v1/stitch", "POST", bomb, {"content-encoding": "gzip"})


def _wishes() -> Iterator[tuple[str, object]]:
    for name, text in TEXTS.items():
        for place in ("word", "service", "reason"):
            yield f"{place} is {name}", _DECISION | {place: text}
    kinds: dict[str, object] = {
        "null": None,
        "a list": [],
        "a number": 1e308,
        "an object": {"$ne": 1},
        "true": True,
    }
    for kind, value in kinds.items():
        for place in ("word", "author"):
            yield f"{place} is {kind}", _DECISION | {place: value}
    yield "__proto__", _DECISION | {"__proto__": {"word": "forget"}}
    yield "one field too many", _DECISION | {"at": 1}
    yield "nothing", b""
    yield "null", None
    yield "no JSON", b"word=keep"
    yield "lists 100,000 deep", b"[" * 100_000
    yield "a megabyte", b'{"word":"' + b"a" * 2**20 + b'"}'
    yield "no UTF-8", b'{"word":"\xff\xfe"}'
    yield (
        "a lone surrogate",
        rb'{"word":"keep","event_type":"\ud800","service":"s","author":"a","reason":"r"}',
    )
    yield (
        "doubled names",
        b'{"word":"keep","word":"forget","event_type":"e","service":"s","author":"a","reason":"r"}',
    )
