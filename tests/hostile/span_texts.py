"""Which texts attack those who show them? And spans that have such a text wherever a span has one."""

import time
from collections.abc import Iterator, Mapping

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.factories import SECOND, pairs, request, span

_RUN = "window.pwned=(window.pwned||0)+1"
_FETCH = "//evil.example/x"

TEXTS: Mapping[str, str] = {
    "a script": f"<script>{_RUN}</script>",
    "an image": f"<img src=x onerror='{_RUN}'>",
    "a drawing": f"<svg onload={_RUN}><animate onbegin={_RUN} attributeName=x dur=1s>",
    "a frame": f"<iframe src='javascript:parent.{_RUN}'></iframe>",
    "an end of text": f'"></title></textarea></style></script><script>{_RUN}</script>',
    "an attribute": f'" onmouseover="{_RUN}" autofocus onfocus=\'{_RUN}\' x="',
    "a link": f"[click](javascript:{_RUN}) <a href='javascript:{_RUN}'>click</a>",
    "a picture in Markdown": f"![x](http:{_FETCH}.png) <link rel=stylesheet href=http:{_FETCH}.css>",
    "a style": f"<style>@import 'http:{_FETCH}';body{{background:url(http:{_FETCH})}}</style>",
    "a base": f"<base href=http:{_FETCH}><meta http-equiv=refresh content='0;url=http:{_FETCH}'>",
    "entities": "&lt;script&gt;&#x3c;img src=x&#62;&amp;nbsp;",
    "Markdown": "# big\n\n**bold** `code` | a | b |\n|---|---|\n:rocket: $x^2$ ~~no~~ > quote\n- [ ] task",
    "formats": "{0.__class__.__mro__} {x!r:>999999} %s %n %999999d {{7*7}} ${7*7} #{7*7}",
    "SQL": "'; DROP TABLE spans; -- \\' OR 1=1 {p:String}",
    "a template": "{% for x in ().__class__.__base__.__subclasses__() %}{{x}}{% endfor %}",
    "escapes": "\x1b[2J\x1b[31m\x1b]0;title\x07\x1b]8;;http://evil.example\x07x\x9b31m\r\b\x7f",
    "line breaks": "a\r\nSet-Cookie: x=1\r\n\n\u2028\u2029\x0b\x0c\x85b",
    "NUL": "a\x00b",
    "right to left": "\u202eevil\u2066\u2069\u200b\ufeff",
    "marks upon marks": "Z" + "\u0351\u0363" * 200,
    "no characters": "\ufffe\uffff\U0010ffff\ue000",
    "prototypes": "__proto__",
    "a constructor": "constructor.prototype",
    "a path": "../../../../etc/passwd",
    "a formula": "=cmd|' /C calc'!A0",
    "a graph": 'a"]; b [label="x" URL="javascript:alert(1)"]; subgraph end -->|x| c\n%%{init: {}}%%',
    "a long word": "w" * 5_000,
    "a long text": "long text " * 2_000,
    "nothing": "",
    "a space": " ",
}
KEY = "hostile-1"  # the flow that all of them are in


def attacks() -> Iterator[ExportTraceServiceRequest]:
    """A message and a failed reaction to it for each text, which is in every field that can hold one."""
    for number, text in enumerate(TEXTS.values()):
        yield attack(number, text)


def attack(number: int, text: str) -> ExportTraceServiceRequest:
    """One message and its reaction, with *text* everywhere; the key of their flow is `KEY`."""
    named = text or "nothing"
    said = {
        text: text,
        "messaging.system": "nats",
        "messaging.destination.name": named,
        "cloudevents.event_type": named,
    }
    said |= {
        "order.id": KEY,
        "messaging.consumer.group.name": named,
        "messaging.message.id": named,
        "exception.message": text,
    }
    deep = {"deep": {text: [text, {text: text}]}}
    start = time.time_ns() - SECOND
    trace = f"hostile {number}"
    sent = span(
        f"send {text}",
        id="send",
        trace=trace,
        kind=Span.SPAN_KIND_PRODUCER,
        start=start,
        attributes=said | deep | {"messaging.operation.type": "send"},
    )
    took = span(
        f"process {text}",
        id="process",
        trace=trace,
        parent="send",
        kind=Span.SPAN_KIND_CONSUMER,
        start=start + SECOND // 10,
        links=[(trace, "send")],
        error=text or "failed",
        attributes=said | {"messaging.operation.type": "process"},
    )
    took.trace_state = text
    took.links[0].attributes.extend(pairs({text: text}))
    took.events.add(
        name=text,
        time_unix_nano=start,
        attributes=pairs({text: text, "exception.type": text, "exception.stacktrace": text}),
    )
    made = request(
        sent, took, service=named, resource={text: text, "host.name": text, "service.instance.id": text}
    )
    made.resource_spans[0].schema_url = text
    made.resource_spans[0].scope_spans[0].scope.name = text
    made.resource_spans[0].scope_spans[0].scope.version = text
    return made
