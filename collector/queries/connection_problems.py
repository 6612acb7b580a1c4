"""What seems to be wrong with what services send and handle, and what would mend it?

These are guesses from what spans show. Each needs many messages, names what was counted, and says what it
rests on: what is missing may be sampled away, sent elsewhere, or handled by someone who sends no spans.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from collector.model.answers import ConnectionProblem, ProblemKind, SendingService
from collector.model.wording import SECOND, counted, duration, percent
from collector.queries.meetings import Meetings

ENOUGH = 50  # flows: before that, what looks wrong may only have begun
_MANY = 20  # messages of one kind
_SHARE = 0.2  # so many without a context, or a flow key, are more than an accident
_BEGINS = 0.8  # a destination begins flows if nobody was seen to cause this share of its messages
_SLOW_S = 10.0  # batch processors send every five seconds by default
_OFTEN_S = _SLOW_S / 2  # half of its spans wait for so long: one outage that was made up for is no habit
_SILENT_S, _ALIVE_S = 600.0, 60.0  # a service was not heard for so long, while others were within this time
_PAUSES = 3  # it was quiet for that many times its longest pause
_MOST = 100
_USUAL = "have the sender put the context into the headers of the message, and the receiver read it."

_Found = tuple[int, ConnectionProblem]  # how many messages it is about


def problems(
    met: Meetings,
    services: Sequence[SendingService],
    now: int,
    window_s: int,
    handled_before: frozenset[str] = frozenset(),
) -> list[ConnectionProblem]:
    """What seems wrong, what concerns most messages first; nothing while too little was seen.

    Of event types that were *handled_before* it is known who handles them: if nobody does now, flows are
    stuck, and it is said there why.
    """
    if met.flows < ENOUGH:
        return []
    languages = {one.service: one.language for one in services}
    found: list[_Found] = []
    for name in met.destinations():
        found += _about(name, met, languages, known=name in handled_before)
    found += _without_key(met)
    found += _slow(services, met)
    found += _silent(services, met, now, window_s)
    found.sort(key=lambda one: (-one[0], one[1].kind, one[1].sentence))
    return [problem for _, problem in found[:_MOST]]


def _about(name: str, met: Meetings, languages: Mapping[str, str | None], *, known: bool) -> Iterator[_Found]:
    senders, handlers = met.senders_of(name), met.handlers_of(name)
    sent, handled = sum(senders.values()), sum(handlers.values())
    if not handlers and not known and sent >= _MANY and met.begun[name] >= _BEGINS * sent:
        yield (
            sent,
            _problem(
                "unhandled",
                next(iter(senders)) if len(senders) == 1 else None,
                f"{name}: sent {sent:,} by {_named(senders)}, handled 0.",
                "Instrument who handles it, or have its spans sent here. If nobody should, nothing is wrong.",
            ),
        )
    for service, n in handlers.items():
        alone = met.alone[service, name]
        if not sent and handled >= _MANY and n >= _MANY:
            yield n, _unseen(service, name, n, alone)
        elif sent and alone >= max(_MANY, _SHARE * n):
            yield alone, _lost(service, name, n, alone, senders, languages)


def _unseen(service: str, name: str, n: int, alone: int) -> ConnectionProblem:
    begins = f"{service} handles {name}, which nobody was seen to publish: "
    if alone:
        return _problem(
            "unseen_publisher",
            service,
            f"{begins}{alone:,} of {n:,} had no traceparent.",
            f"Instrument what publishes {name}. If it is, it does not pass the context on with the message.",
        )
    return _problem(
        "unseen_publisher",
        service,
        f"{begins}{_all(n)} had a context, and the spans that it names are not here.",
        f"Have the spans of what publishes {name} sent here: they may be sampled, or go elsewhere.",
    )


def _lost(
    service: str,
    name: str,
    n: int,
    alone: int,
    senders: Mapping[str, int],
    languages: Mapping[str, str | None],
) -> ConnectionProblem:
    sentence = (
        f"{service} handles {name}, which {_named(senders)} publishes: {alone:,} of {n:,} had no traceparent."
    )
    from_python = any(languages.get(sender) == "python" for sender in senders)
    return _problem("no_context", service, sentence, _fix(languages.get(service), from_python=from_python))


def _fix(receiver: str | None, *, from_python: bool) -> str:
    """What loses contexts often in the language of the receiver: broker and library are not known here."""
    if receiver == "go":
        return (
            "In Go, propagation.HeaderCarrier finds Traceparent and overlooks traceparent: if it is used,"
            " have the sender write both, or read the headers with a carrier that ignores case."
            f" Otherwise: {_USUAL}"
        )
    if receiver == "dotnet" and from_python:
        return (
            "In .NET, NATS.Net reads no context that comes in two spellings: if it is used, set"
            f" OTEL_PYTHON_NATS_CAPITAL_HEADERS=false where services in Python send. Otherwise: {_USUAL}"
        )
    return f"{_USUAL[0].upper()}{_USUAL[1:]}"


def _without_key(met: Meetings) -> Iterator[_Found]:
    n, without = met.messages, met.without_key.total()
    if without >= max(_MANY, _SHARE * n):
        yield (
            without,
            _problem(
                "no_flow_key",
                None,
                f"{percent(without / n)} of {n:,} messages carry no flow key, most of them"
                f" {met.without_key.most_common(1)[0][0]}: flows are named by trace id.",
                "Put the order id into baggage as order.id, or name the attribute that has it in"
                " CHOREOSCOPE_FLOW_KEYS. If they belong to no order, nothing is wrong.",
            ),
        )


def _slow(services: Iterable[SendingService], met: Meetings) -> Iterator[_Found]:
    for one in services:
        if one.export_delay_p99_s >= _SLOW_S and one.export_delay_p50_s >= _OFTEN_S:
            yield (
                _of(one.service, met),
                _problem(
                    "slow_export",
                    one.service,
                    f"{one.service} exports spans up to {duration(one.export_delay_p99_s)} after they end:"
                    " verdicts wait for it.",
                    "Have its batch processor send more often: OTEL_BSP_SCHEDULE_DELAY, in milliseconds.",
                ),
            )


def _silent(services: Sequence[SendingService], met: Meetings, now: int, window_s: int) -> Iterator[_Found]:
    alive = [one for one in services if now - one.last_unix_nano <= _ALIVE_S * SECOND]
    if not alive:
        return  # nobody sends
    # When all of those paused, the collector may not have listened; senders come back one after another.
    unheard = min(one.longest_pause_s for one in alive)
    for one in services:
        quiet = (now - one.last_unix_nano) / SECOND
        listened = (one.last_unix_nano - one.first_unix_nano) / SECOND
        n = _of(one.service, met)
        unusual = quiet > _PAUSES * one.longest_pause_s and listened >= _SILENT_S
        if quiet - unheard >= _SILENT_S and unusual and n >= _MANY:
            yield (
                n,
                _problem(
                    "silent_service",
                    one.service,
                    f"{one.service} was last heard {duration(quiet)} ago; within {duration(window_s)} it sent"
                    f" or handled {counted(n, 'message')}.",
                    "If it should be busy: does it run, and does its exporter reach this collector?",
                ),
            )


def _of(service: str, met: Meetings) -> int:
    return sum(n for (name, _), n in (*met.sent.items(), *met.handled.items()) if name == service)


def _problem(kind: ProblemKind, service: str | None, sentence: str, fix: str) -> ConnectionProblem:
    docs = f"docs/connections.md#{kind}"
    return ConnectionProblem(kind=kind, service=service, sentence=sentence, fix=fix, docs=docs)


def _named(services: Mapping[str, int]) -> str:
    names = sorted(services, key=lambda name: (-services[name], name))
    return names[0] if len(names) == 1 else f"{names[0]} and {counted(len(names) - 1, 'other')}"


def _all(n: int) -> str:
    return f"all {n:,}"
