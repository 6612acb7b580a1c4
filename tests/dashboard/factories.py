"""Documents of the API for tests: each call names only what the test is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args, get_origin

import msgspec
from msgspec import Struct

from dashboard.shapes import Edge, Finding, Flow, Message, Missing, Reaction, StoppedAt

T = TypeVar("T", bound=Struct)

# What a test need not say, where nothing is not what is usual.
USUAL = {
    "attempts": 1,
    "because": "link",
    "certainty": "observed",
    "kind": "delivery",
    "source": "learned",
    "status": "ok",
}

MS = 1_000_000
SECOND = 1_000 * MS
START = 1_800_000_000 * SECOND


def made(shape: type[T], /, **known: Any) -> T:
    """An answer with *known* in it; what is not known is as usual, or nothing."""
    unknown = [field for field in msgspec.structs.fields(shape) if field.required and field.name not in known]
    return shape(**{field.name: USUAL.get(field.name, _nothing(field.type)) for field in unknown}, **known)


def _nothing(kind: Any) -> Any:
    """None where that is allowed, else zero, false, an empty text or list, an answer of nothing."""
    if type(None) in get_args(kind):
        return None
    kind = get_origin(kind) or kind
    if isinstance(kind, type) and issubclass(kind, Struct):
        return made(kind)
    return [] if kind is Sequence else kind()


def finding(
    stopped_at: str, service: str = "payment", event: str | None = "PaymentCaptured", **more: Any
) -> Finding:
    """A finding: *service* owes a reaction after the span *stopped_at*."""
    return made(
        Finding,
        **{
            "flow": "f1",
            "key": "A-17",
            "state": "stuck",
            "since_unix_nano": START,
            "stopped_at": made(StoppedAt, ref=stopped_at, event_type="StockReserved", service="inventory"),
            "cause": "consumer_down",
            "sentence": f"{service} has not reacted.",
            "missing": made(Missing, service=service, group=service, next_event_type=event),
            **more,
        },
    )


@dataclass
class Story:
    """A flow under construction: publish and react, in any order that a test needs."""

    messages: list[Message] = field(default_factory=list)
    reactions: list[Reaction] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)

    def publish(self, event: str, service: str = "order", at_ms: float = 0.0, by: str | None = None) -> str:
        """Add a message, caused by the reaction *by* if there is one; return its ref."""
        ref = f"t:m{len(self.messages)}"
        time = START + round(at_ms * MS)
        self.messages.append(
            made(Message, ref=ref, spans=[ref], event_type=event, service=service, time_unix_nano=time)
        )
        if by:
            self.edges.append(made(Edge, source=by, target=ref, kind="cause", because="parent"))
        return ref

    def react(
        self,
        to: str | None,
        service: str,
        *,
        wait_ms: float = 5.0,
        work_ms: float = 10.0,
        certainty: str = "observed",
        **more: Any,
    ) -> str:
        """Add a reaction to the message *to* (None: no delivery was seen); return its ref."""
        ref = f"t:r{len(self.reactions)}"
        sent = next((message.time_unix_nano for message in self.messages if message.ref == to), START)
        start = sent + round(wait_ms * MS)
        self.reactions.append(
            made(
                Reaction,
                **{
                    "ref": ref,
                    "spans": [ref, f"{ref}x"],
                    "service": service,
                    "group": service,
                    "start_unix_nano": start,
                    "end_unix_nano": start + round(work_ms * MS),
                    "wait_ms": wait_ms,
                    "work_ms": work_ms,
                    **more,
                },
            )
        )
        if to:
            self.edges.append(made(Edge, source=to, target=ref, because="link", certainty=certainty))
        return ref

    def step(self, to: str, service: str, event: str, **more: Any) -> str:
        """Add a reaction that publishes *event*; return the message's ref."""
        by = self.react(to, service, **more)
        end = next(reaction.end_unix_nano or 0 for reaction in self.reactions if reaction.ref == by)
        return self.publish(event, service, (end - START) / MS, by)

    def flow(self, *findings: Finding) -> Flow:
        """Return the document of everything so far."""
        return made(
            Flow, messages=self.messages, reactions=self.reactions, edges=self.edges, findings=list(findings)
        )
