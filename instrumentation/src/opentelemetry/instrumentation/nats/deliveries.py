"""Where messages come from: the subscription's subjects, and who shares its messages."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from opentelemetry.trace import Link

from . import attributes, headers
from .subjects import matches

_SOURCE: Final = "_opentelemetry_source"
_INBOX: Final = "_INBOX."
_NO_ACKNOWLEDGEMENT: Final = "none"


class Source:
    """What a subscription is known to be.

    `explicit` turns true with the first message that the host opens a span for
    itself, and ends the guessing about the ones after it. `foreign` turns true
    where another instrumentation opens the spans, and ends ours altogether.
    """

    __slots__ = ("explicit", "foreign", "group", "settles", "subjects")

    def __init__(
        self, subjects: tuple[str, ...] = (), group: str | None = None, settles: bool = True
    ) -> None:
        self.subjects = subjects
        self.group = group
        self.settles = settles
        self.explicit = False
        self.foreign = False

    def template(self, subject: str, otherwise: Callable[[str], str]) -> str:
        """The subscription's subject under which *subject* came; see `template_of`."""
        return template_of(self.subjects, subject, otherwise)


def template_of(subjects: tuple[str, ...], subject: str, otherwise: Callable[[str], str]) -> str:
    """Which of the *subjects* that were asked for *subject* came under.

    Where that is not known, or names one subject only, what *otherwise* makes of it.
    """
    found = (
        subjects[0]
        if len(subjects) == 1
        else next((pattern for pattern in subjects if matches(pattern, subject)), subject)
    )
    return found if "*" in found or ">" in found else otherwise(found)


def remember(holder: Any, source: Source) -> None:
    """Keep *source* with the message or the subscription that came from it."""
    setattr(holder, _SOURCE, source)


def of_config(config: Any) -> Source:
    """The source that a JetStream consumer's configuration describes."""
    filters = tuple(getattr(config, "filter_subjects", None) or ()) or (
        (config.filter_subject,) if config.filter_subject else ()
    )
    settles = str(getattr(config.ack_policy, "value", config.ack_policy)) != _NO_ACKNOWLEDGEMENT
    return Source(filters, config.deliver_group or config.durable_name or None, settles)


def of_subscription(subscription: Any) -> Source:
    """The source behind a ``nats.aio.subscription.Subscription``, made at the first question."""
    known = getattr(subscription, _SOURCE, None)
    if isinstance(known, Source):
        return known
    consumer = subscription._jsi
    if consumer is not None:
        source = of_config(consumer._ccreq)
    elif subscription._subject.startswith(_INBOX):
        # Where a push consumer delivers to, before nats-py has said so.
        return Source()
    else:
        source = Source((subscription._subject,), subscription._queue or None)
    remember(subscription, source)
    return source


def source_of(message: Any) -> Source:
    """Where *message* came from; a source that says nothing when that cannot be found out."""
    known = getattr(message, _SOURCE, None)
    if isinstance(known, Source):
        return known
    subscription = message._client._subs.get(message._sid)
    source = Source() if subscription is None else of_subscription(subscription)
    remember(message, source)
    return source


def origins(messages: Iterable[Any], keys: tuple[str, ...]) -> list[Link]:
    """A link for each message that carries a context, with what is that message's own on it."""
    found = []
    for message in messages:
        context, origin = headers.extract(message.headers)
        if origin.is_valid:
            own = {attributes.DESTINATION: message.subject} | attributes.of_message(message)
            found.append(Link(origin, own | attributes.of_baggage(context, keys)))
    return found
