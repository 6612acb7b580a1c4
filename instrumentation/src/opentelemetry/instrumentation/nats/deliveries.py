"""Where messages come from: the subscription's subjects, and the group that shares its messages."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from opentelemetry.trace import Link

from . import attributes
from .receiving import received
from .subjects import matches
from .telemetry import Telemetry

_SOURCE: Final = "_opentelemetry_source"
_INBOX: Final = "_INBOX."
_NO_ACKNOWLEDGEMENT: Final = "none"


class Source:
    """What is known about a subscription.

    `explicit` becomes true when the host first opens a span for a message itself;
    later messages are then not guessed. `foreign` becomes true when another
    instrumentation opens the spans; this package then opens none. `dropped` is how
    many of its messages nats-py dropped since a span last said so.
    """

    __slots__ = ("dropped", "explicit", "foreign", "group", "settles", "subjects")

    def __init__(
        self, subjects: tuple[str, ...] = (), group: str | None = None, settles: bool = True
    ) -> None:
        self.subjects = subjects
        self.group = group
        self.settles = settles
        self.explicit = False
        self.foreign = False
        self.dropped = 0

    def template(self, subject: str, otherwise: Callable[[str], str]) -> str:
        """The template of *subject*, from the subscription's subjects; see `template_of`."""
        return template_of(self.subjects, subject, otherwise)


def template_of(subjects: tuple[str, ...], subject: str, otherwise: Callable[[str], str]) -> str:
    """The pattern among a subscription's *subjects* that *subject* matches.

    If none is known to match, or it has no wildcard, *otherwise* makes the template.
    """
    found = (
        subjects[0]
        if len(subjects) == 1
        else next((pattern for pattern in subjects if matches(pattern, subject)), subject)
    )
    return found if "*" in found or ">" in found else otherwise(found)


def remember(holder: Any, source: Source) -> None:
    """Attach *source* to *holder*, a message or a subscription."""
    setattr(holder, _SOURCE, source)


def of_config(config: Any) -> Source:
    """The source that a JetStream consumer's configuration describes."""
    filters = tuple(getattr(config, "filter_subjects", None) or ()) or (
        (config.filter_subject,) if config.filter_subject else ()
    )
    settles = str(getattr(config.ack_policy, "value", config.ack_policy)) != _NO_ACKNOWLEDGEMENT
    return Source(filters, config.deliver_group or config.durable_name or None, settles)


def of_subscription(subscription: Any) -> Source:
    """The source of a ``nats.aio.subscription.Subscription``, made when first asked for."""
    known = getattr(subscription, _SOURCE, None)
    if isinstance(known, Source):
        return known
    consumer = subscription._jsi
    if consumer is not None:
        source = of_config(consumer._ccreq)
    elif subscription._subject.startswith(_INBOX):
        # A push consumer delivers to an inbox, and nats-py has not attached the consumer yet.
        return Source()
    else:
        source = Source((subscription._subject,), subscription._queue or None)
    remember(subscription, source)
    return source


def source_of(message: Any) -> Source:
    """Where *message* came from; an empty source if that is unknown."""
    known = getattr(message, _SOURCE, None)
    if isinstance(known, Source):
        return known
    subscription = message._client._subs.get(message._sid)
    source = Source() if subscription is None else of_subscription(subscription)
    remember(message, source)
    return source


def origins(messages: Iterable[Any], telemetry: Telemetry) -> list[Link]:
    """A link for each message that carries a context, with that message's own attributes."""
    found = []
    for message in messages:
        context, origin = received(telemetry, message)
        if origin.is_valid:
            own = {attributes.DESTINATION: message.subject} | attributes.of_message(message)
            found.append(Link(origin, own | attributes.of_baggage(context, telemetry.options.baggage_keys)))
    return found
